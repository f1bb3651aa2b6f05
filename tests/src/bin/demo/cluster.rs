//! Scene: podid is installed.

use anyhow::Result;
use podid_lab::install;
use podid_tests::programs;

use crate::images::Images;
use crate::nodes::Nodes;
use crate::stage::Stage;
use crate::story::Story;

const SCENE: &str = "Install podid";

/// Installs podid's kinds, rights, rules and programs, and waits until they are ready.
pub(crate) fn install(stage: &Stage, story: &mut Story) -> Result<()> {
    story.scene("podid is installed");
    match &stage.nodes {
        Nodes::Kubelet(images) => {
            let step = "its images on every node, in place of a registry";
            story.step(SCENE, step, || give_images(stage, images))?;
        }
        Nodes::StandIn => install::offer(&stage.lab, &stage.programs)?,
    }
    story.step(SCENE, "kubectl apply -k kustomize/lab", || {
        install::trust_azure(&stage.lab, install::NAMESPACE)?;
        install::manifests(&stage.lab, &programs::repository().join("kustomize/lab"))?;
        stage.ask(&["api-resources", "--categories=podid", "-o", "name"])
    })?;
    let step = "two operators (one leads), and a node daemon on every node";
    story.step(SCENE, step, || {
        install::rollout(&stage.lab)?;
        stage.ask(&["-n", install::NAMESPACE, "get", "pods", "-o", "wide"])
    })
}

fn give_images(stage: &Stage, images: &Images) -> Result<String> {
    let mut archives = install::archives(images.folder());
    archives.push(images.application());
    install::import(&stage.lab, &archives)?;
    Ok(String::new())
}
