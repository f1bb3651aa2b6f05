//! Scene: the commit is reverted, and nothing of it is left.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::commit::{Identity, git, identity, wait_for_revision};
use crate::container::ask_again;
use crate::facts::{NAMESPACE, PROFILE};
use crate::pods;
use crate::stage::Stage;
use crate::story::Story;

const SCENE: &str = "Revert";

/// Reverts the profile's commit and looks for remains.
pub(crate) fn take_back(stage: &Stage, story: &mut Story) -> Result<()> {
    story.scene("The team reverts its commit");
    let identity = identity(stage)?;
    let step = "git revert, git push, and Flux prunes the profile";
    story.step(SCENE, step, || revert_commit(stage))?;
    let step = "the profile and all it made in the cluster are gone";
    story.step(SCENE, step, || nothing_in_cluster(stage))?;
    let step = "Azure holds no identity, no right and no assignment of it";
    story.step(SCENE, step, || nothing_in_azure(stage, &identity))?;
    let step = "the pods that still run get no token";
    story.step(SCENE, step, || no_token(stage))
}

fn revert_commit(stage: &Stage) -> Result<String> {
    git(stage, &["revert", "--no-edit", "HEAD"])?;
    git(stage, &["push", "--quiet", "origin", "main"])?;
    let head = git(stage, &["rev-parse", "HEAD"])?;
    wait_for_revision(stage, &head)?;
    git(stage, &["log", "--oneline", "--no-decorate"])
}

fn nothing_in_cluster(stage: &Stage) -> Result<String> {
    let profile = format!("podidentityprofile/{PROFILE}");
    let gone = ["--for=delete", "--timeout=60s"];
    stage.ask(&[&["-n", NAMESPACE, "wait", &profile][..], &gone].concat())?;
    let kinds = "podidentityprofiles,azureidentities,azureidentitybindings,azureassignedidentities";
    let left = stage.ask(&["get", kinds, "-A", "-o", "name"])?;
    ensure!(left.is_empty(), "left behind in the cluster: {left}");
    Ok("no profile, identity, binding or assignment is left".to_owned())
}

/// Nothing in Azure names the identity any more: no identity, no role assignment to it or on it, no VM
/// or scale set.
fn nothing_in_azure(stage: &Stage, identity: &Identity) -> Result<String> {
    let state = stage.azure("/state")?;
    for name in [&identity.client_id, &identity.principal_id, &identity.name] {
        let mentions = mentions(&state, name);
        ensure!(
            mentions.is_empty(),
            "Azure still holds {name} at {}",
            mentions.join(", ")
        );
    }
    Ok(format!("nothing names {} any more", identity.name))
}

/// Paths in `value` whose text or key holds `needle`, without letter case.
fn mentions(value: &Value, needle: &str) -> Vec<String> {
    fn walk(value: &Value, needle: &str, path: &str, found: &mut Vec<String>) {
        let holds = |text: &str| text.to_ascii_lowercase().contains(needle);
        match value {
            Value::String(text) if holds(text) => found.push(path.to_owned()),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    walk(item, needle, &format!("{path}/{at}"), found);
                }
            }
            Value::Object(fields) => {
                for (key, item) in fields {
                    if holds(key) {
                        found.push(format!("{path}/{key}"));
                    }
                    walk(item, needle, &format!("{path}/{key}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, &needle.to_ascii_lowercase(), "", &mut found);
    found
}

fn no_token(stage: &Stage) -> Result<String> {
    for pod in pods::pods(stage)? {
        let said = ask_again(stage, NAMESPACE, &pod)?;
        ensure!(!said.contains("access_token"), "{pod} still gets a token");
    }
    Ok("asked in each pod; each was refused".to_owned())
}
