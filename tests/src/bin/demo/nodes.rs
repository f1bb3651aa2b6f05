//! On which kind of nodes the demo runs.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use podid_lab::cgroup::Controllers;
use podid_lab::{NodeAgent, UpOptions, tools};

use crate::images::Images;
use crate::options::Options;
use crate::story::Story;
use crate::ui;

const SCENE: &str = "Build images";
const STAND_INS: &str = "kubelets are played by stand-ins, which run no containers";

/// The nodes of the demo's lab.
#[derive(Debug)]
pub(crate) enum Nodes {
    /// With a kubelet; containers of these images run there.
    Kubelet(Images),
    /// With stand-ins: podid's programs and the application's run without containers.
    StandIn,
}

impl Nodes {
    /// Those that were asked for, or else those that this machine can have. Builds what they need.
    pub(crate) fn prepare(
        options: &Options,
        lab: &mut UpOptions,
        programs: &Path,
        python: &Path,
        story: &mut Story,
    ) -> Result<Self> {
        if options.node_agent != Some(NodeAgent::StandIn) {
            lab.node_agent = NodeAgent::Kubelet;
            match kubelet(lab, programs, python, story) {
                Ok(images) => return Ok(Self::Kubelet(images)),
                Err(error) if options.node_agent.is_some() => return Err(error),
                Err(error) => ui::note(&format!("{STAND_INS}: {error:#}")),
            }
        }
        lab.node_agent = NodeAgent::StandIn;
        tools::ensure(&lab.tools())?;
        Ok(Self::StandIn)
    }
}

fn kubelet(lab: &UpOptions, programs: &Path, python: &Path, story: &mut Story) -> Result<Images> {
    // Known at once, before anything is built.
    Controllers::find()?;
    tools::ensure(&lab.tools())?;
    story.scene("Container images, without a container engine");
    let start = Instant::now();
    let images = Images::build(programs, python)?;
    let step = "podid's programs, and an application with Azure's SDK";
    story.went_well(SCENE, step, start.elapsed(), &images.describe()?);
    Ok(images)
}
