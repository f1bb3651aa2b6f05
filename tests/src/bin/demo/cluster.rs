//! Scene: podid is installed.

use anyhow::Result;
use podid_tests::programs;

use crate::stage::Stage;
use crate::story::Story;

const SCENE: &str = "Install podid";

/// Installs podid's kinds, rights, rules and programs, and waits until they are ready.
pub(crate) fn install(stage: &Stage, story: &mut Story) -> Result<()> {
    story.scene("podid is installed");
    story.step(
        SCENE,
        "kinds, rights and admission rules from kustomize/cluster",
        || {
            let base = programs::repository().join("kustomize/cluster");
            podid_lab::install::manifests(&stage.lab, &base)?;
            stage.ask(&["api-resources", "--categories=podid", "-o", "name"])
        },
    )?;
    story.step(
        SCENE,
        "two operators (one leads), and a node daemon on every node",
        || {
            podid_lab::install::programs(&stage.lab, &stage.programs)?;
            stage.ask(&["-n", "podid-system", "get", "lease"])
        },
    )
}
