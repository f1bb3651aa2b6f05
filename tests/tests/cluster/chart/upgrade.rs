//! From policies that let more pass to those of today, and back: no moment without a rule.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use podid_tests::manifests::chart;
use podid_tests::programs::repository;
use serde_json::{Value, json};

use super::prober::{Prober, adding_net_raw, pod};
use super::stage::Stage;

/// What the rule of today forbids to add, and an older one did not.
const OF_TODAY: &str = "'NET_RAW', 'NET_ADMIN',";
const OLDER: &str = "'NET_RAW',";
const RULE: &str = "podid-net-raw-enforce";

/// A copy of a folder, in which one file has an older rule.
fn weakened(folder: &Path, of: &Path, file: &str) -> PathBuf {
    let copied = Command::new("cp").arg("-r").arg(of).arg(folder).status();
    assert!(copied.unwrap().success());
    let copy = folder.join(of.file_name().unwrap());
    let text = fs::read_to_string(copy.join(file)).unwrap();
    assert_eq!(text.matches(OF_TODAY).count(), 1, "{file}");
    fs::write(copy.join(file), text.replace(OF_TODAY, OLDER)).unwrap();
    copy
}

/// A pod that only the rule of today refuses.
fn newly() -> Value {
    let context = json!({"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}});
    pod("checkout", &context)
}

/// Looks at two pods all the while that the rule changes: one that both rules refuse is never admitted. Returns, for
/// each look, whether the other was.
fn looks(stage: &Stage, change: impl FnOnce(&Prober)) -> Vec<bool> {
    let (asks, watches) = (Prober::of(stage), Prober::of(stage));
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut admitted = Vec::new();
            while !is_done.load(Ordering::Relaxed) {
                let said = watches
                    .says("default", &adding_net_raw())
                    .expect_err("a moment without a rule");
                assert!(said.contains(RULE), "{said}");
                admitted.push(watches.says("default", &newly()).is_ok());
            }
            admitted
        });
        change(&asks);
        is_done.store(true, Ordering::Relaxed);
        watching.join().unwrap()
    })
}

/// The pod was admitted by the older rule, and from some moment on never again.
fn is_refused_for_good(looks: &[bool]) {
    let refused = looks.iter().position(|admitted| !admitted);
    let refused = refused.expect("a look at the rule of today");
    assert!(refused > 0, "a look at the older rule");
    assert!(
        looks[refused..].iter().all(|admitted| !admitted),
        "{looks:?}"
    );
}

/// A profile that binds the pods, and the older rule in force.
fn begin(stage: &Stage) {
    stage.kubectl().apply(&json!({
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
        "metadata": {"name": "checkout", "namespace": "default"}, "spec": {"className": "standard"},
    }));
    let prober = Prober::of(stage);
    prober.until_refused(&adding_net_raw(), RULE);
    prober.says("default", &newly()).expect("the older rule");
}

fn end(stage: &Stage) {
    stage
        .kubectl()
        .run(&["delete", "podidentityprofile/checkout"]);
    stage.delete_all();
}

#[test]
fn a_release_from_weaker_policies_and_back_is_never_without_one() {
    let stage = Stage::enter();
    let folder = tempfile::tempdir().unwrap();
    let older = weakened(folder.path(), &chart(), "templates/policies/net-raw.yaml");
    stage.release(&older, &[]).unwrap();
    begin(&stage);
    is_refused_for_good(&looks(&stage, |prober| {
        stage.install(&[]);
        prober.until_refused(&newly(), RULE);
    }));
    let back = looks(&stage, |prober| {
        let rollback = ["rollback", "podid", "1", "--namespace=podid-system"];
        stage.helm(&rollback).unwrap();
        prober.until_admitted(&newly());
    });
    assert!(!back[0], "it was refused until then");
    stage.uninstall();
    end(&stage);
}

#[test]
fn manifests_from_weaker_policies_on_are_never_without_one() {
    let stage = Stage::enter();
    let folder = tempfile::tempdir().unwrap();
    let kustomize = repository().join("kustomize");
    let older = weakened(
        folder.path(),
        &kustomize,
        "cluster/policies/net-raw/rule/policy.yaml",
    );
    // The overlay finds the kinds beside the folder that was copied.
    std::os::unix::fs::symlink(repository().join("crds"), folder.path().join("crds")).unwrap();
    let apply = |folder: &Path| {
        let folder = folder.join("cluster").display().to_string();
        let apply = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--kustomize",
            &folder,
        ];
        stage.kubectl().run(&apply);
    };
    stage.install_kinds();
    apply(&older);
    begin(&stage);
    is_refused_for_good(&looks(&stage, |prober| {
        apply(&kustomize);
        prober.until_refused(&newly(), RULE);
    }));
    end(&stage);
}
