//! Scene: a team commits a profile, Flux applies it, the operator does its work in Azure.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use podid_lab::layout;
use serde_json::Value;

use crate::command;
use crate::facts::{CLASS, NAMESPACE, PROFILE, ROLE};
use crate::stage::Stage;
use crate::story::Story;

const SCENE: &str = "Commit to identity";

/// Commits class and profile, and follows them into Azure.
pub(crate) fn profile(stage: &Stage, story: &mut Story) -> Result<()> {
    story.scene("A team commits a profile");
    let step = "an empty git repository, which Flux follows";
    story.step(SCENE, step, || follow(stage))?;
    let step = "the platform team commits the class: facts and limits";
    story.step(SCENE, step, || create_class(stage))?;
    let step = "the application team commits its profile";
    story.step(SCENE, step, || create_profile(stage))?;
    story.step(SCENE, "git push, and Flux applies the commit", || {
        git(stage, &["push", "--quiet", "origin", "main"])?;
        let head = git(stage, &["rev-parse", "HEAD"])?;
        wait_for_revision(stage, &head)
    })?;
    let step = "the operator makes the identity and grants its roles";
    story.step(SCENE, step, || wait_until_ready(stage))?;
    let step = "Azure agrees: one identity, and its rights";
    story.step(SCENE, step, || in_azure(stage))
}

fn create_class(stage: &Stage) -> Result<String> {
    let access = format!("{ROLE}={}", vault_id());
    let flags = [
        ["--cluster", "lab"],
        ["--tenant", layout::TENANT],
        ["--subscription", layout::SUBSCRIPTION],
        ["--resource-group", layout::RESOURCE_GROUP],
        ["--location", layout::LOCATION],
        ["--node-resource-group", layout::NODE_GROUP],
        ["--node-principal", layout::KUBELET_PRINCIPAL],
        ["--allow-namespace", NAMESPACE],
        ["--allow-access", &access],
    ];
    let command = ["class", "create", CLASS];
    podid(stage, &[&command, flags.as_flattened()].concat())
}

fn create_profile(stage: &Stage) -> Result<String> {
    let access = format!("{ROLE}={}", vault_id());
    let flags = [
        ["--namespace", NAMESPACE],
        ["--class", CLASS],
        ["--access", &access],
        // Its pods run on when the commit is reverted, and nobody wants to watch the grace of 30 s.
        ["--deletion-grace-period", "0s"],
    ];
    let command = ["profile", "create", PROFILE];
    podid(stage, &[&command, flags.as_flattened()].concat())
}

fn wait_until_ready(stage: &Stage) -> Result<String> {
    let profile = format!("podidentityprofile/{PROFILE}");
    let ready = ["--for=condition=Ready", "--timeout=60s"];
    stage.ask(&[&["-n", NAMESPACE, "wait", &profile][..], &ready].concat())?;
    let kinds = "podidentityprofile,azureidentity,azureidentitybinding";
    stage.ask(&["-n", NAMESPACE, "get", kinds])
}

/// A bare repository with one empty commit, its clone, and the Flux objects that follow it.
fn follow(stage: &Stage) -> Result<String> {
    let bare = stage.folder("fleet.git");
    let clone = stage.folder("clone");
    command::capture(
        Command::new("git")
            .args(["init", "--quiet", "--bare", "-b", "main"])
            .arg(&bare),
    )?;
    command::capture(
        Command::new("git")
            .args(["clone", "--quiet"])
            .arg(&bare)
            .arg(&clone),
    )?;
    for (key, value) in [
        ("user.name", "Payments team"),
        ("user.email", "payments@example.com"),
    ] {
        git(stage, &["config", key, value])?;
    }
    git(stage, &["checkout", "--quiet", "-B", "main"])?;
    std::fs::write(
        clone.join("namespaces.yaml"),
        format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n"),
    )?;
    git(stage, &["add", "namespaces.yaml"])?;
    git(stage, &["commit", "--quiet", "-m", "Start the fleet"])?;
    git(stage, &["push", "--quiet", "origin", "main"])?;
    stage.apply_well(&flux_objects(&bare.display().to_string()))
}

fn flux_objects(repository: &str) -> String {
    format!(
        "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{ name: fleet, namespace: flux-system }}
spec:
  url: ssh://localhost{repository}
  ref: {{ branch: main }}
  interval: 1m
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{ name: fleet, namespace: flux-system }}
spec:
  sourceRef: {{ kind: GitRepository, name: fleet }}
  path: ./
  interval: 10m
  retryInterval: 2s
  timeout: 1m
  prune: true
"
    )
}

/// ARM id of the vault that the application reads.
fn vault_id() -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.KeyVault/vaults/{}",
        layout::SUBSCRIPTION,
        layout::RESOURCE_GROUP,
        layout::VAULT
    )
}

/// `podid` in the clone.
fn podid(stage: &Stage, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(stage.program("podid"));
    command.current_dir(stage.folder("clone")).args(arguments);
    let said = command::capture(&mut command)?;
    let words: Vec<String> = arguments
        .iter()
        .map(|word| command::quoted(word.as_ref()))
        .collect();
    Ok(format!("$ podid {}\n{said}", words.join(" ")))
}

/// git in the clone.
pub(crate) fn git(stage: &Stage, arguments: &[&str]) -> Result<String> {
    command::capture(
        Command::new("git")
            .arg("-C")
            .arg(stage.folder("clone"))
            .args(arguments),
    )
}

/// Waits until the status of the Kustomization shows `commit` as applied.
pub(crate) fn wait_for_revision(stage: &Stage, commit: &str) -> Result<String> {
    stage.ask(&[
        "-n",
        "flux-system",
        "wait",
        "kustomization/fleet",
        &format!("--for=jsonpath={{.status.lastAppliedRevision}}=main@sha1:{commit}"),
        "--timeout=60s",
    ])?;
    stage.ask(&["-n", "flux-system", "get", "gitrepository,kustomization"])
}

/// The profile's identity.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) client_id: String,
    pub(crate) principal_id: String,
    /// Its Azure name.
    pub(crate) name: String,
}

/// The identity, as the profile's status names it.
pub(crate) fn identity(stage: &Stage) -> Result<Identity> {
    let said = stage.ask(&[
        "-n",
        NAMESPACE,
        "get",
        "podidentityprofile",
        PROFILE,
        "-o",
        "json",
    ])?;
    let profile: Value = serde_json::from_str(&said).context("kubectl printed no JSON")?;
    let field = |name: &str| {
        let value = profile["status"]["identity"][name].as_str();
        value
            .map(str::to_owned)
            .with_context(|| format!("the profile's status names no {name}"))
    };
    let resource_id = field("resourceId")?;
    Ok(Identity {
        client_id: field("clientId")?,
        principal_id: field("principalId")?,
        name: resource_id
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned(),
    })
}

/// What the simulated Azure holds of the profile.
fn in_azure(stage: &Stage) -> Result<String> {
    let named = identity(stage)?;
    let state = stage.azure("/state")?;
    let list = |name: &str| state[name].as_array().cloned().unwrap_or_default();
    let found = list("identities")
        .into_iter()
        .find(|identity| identity["clientId"] == named.client_id.as_str())
        .context("Azure holds no identity with the client id that the profile's status names")?;
    let rights: Vec<String> = list("roleAssignments")
        .iter()
        .filter(|assignment| assignment["principalId"] == named.principal_id.as_str())
        .map(|assignment| format!("{} on {}", assignment["role"], assignment["scope"]))
        .collect();
    ensure!(
        rights.len() == 1,
        "the identity should hold 1 right, and holds {rights:?}"
    );
    Ok(format!("{}\n{}", found["id"], rights.join("\n")).replace('"', ""))
}
