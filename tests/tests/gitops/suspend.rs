//! Stopping, going on, and asking for a look at once.

use podid_tests::azure::{self, writes};
use podid_tests::flux;
use podid_tests::workloads::team::TEAM;
use podid_tests::workloads::wait_until;
use serde_json::json;

use crate::cluster::{Cluster, SYSTEM};
use crate::fleet::reads_secrets;
use crate::quiet::layer_rounds;
use crate::release::Release;

const PASSING: &str = "podidentityprofile/passing";

#[test]
fn a_suspended_profile_changes_nothing_until_it_goes_on() {
    let cluster = Release::enter();
    let commit = cluster.fleet.push_profiles(&[("passing", Some(json!({})))]);
    cluster.applied("podid-profiles", &commit);
    azure::forget_calls(&cluster.lab);
    let suspended = json!({"access": reads_secrets(), "suspend": true});
    let commit = cluster.fleet.push_profiles(&[("passing", Some(suspended))]);
    // At once, and not when Flux is tired of waiting.
    let said = cluster.failed("podid-profiles", &commit);
    assert!(
        said.contains("passing") && !said.contains("timed out"),
        "{said}"
    );
    assert_eq!(writes(&cluster.lab), [""; 0]);
    let resumed = json!({"access": reads_secrets()});
    let commit = cluster.fleet.push_profiles(&[("passing", Some(resumed))]);
    cluster.applied("podid-profiles", &commit);
    assert_eq!(writes(&cluster.lab).len(), 1, "{:?}", writes(&cluster.lab));
    let commit = cluster.fleet.push_profiles(&[("passing", None)]);
    cluster.applied("podid-profiles", &commit);
}

#[test]
fn a_suspended_layer_applies_no_commit_until_it_goes_on() {
    let cluster = Release::enter();
    let kubectl = cluster.kubectl();
    // The layer above must not undo it.
    for name in ["flux-system", "podid-profiles"] {
        suspend(&cluster, &format!("kustomization/{name}"), true);
    }
    let commit = cluster.fleet.push_profiles(&[("passing", Some(json!({})))]);
    // The layer before has applied it, and has looked again since: this one would have come to it.
    cluster.applied("podid-classes", &commit);
    let before = layer_rounds(&cluster, "podid-classes");
    wait_until("the layer before has looked twice more", || {
        layer_rounds(&cluster, "podid-classes") >= before + 2
    });
    assert_eq!(kubectl.find(PASSING, TEAM), None);
    for name in ["podid-profiles", "flux-system"] {
        suspend(&cluster, &format!("kustomization/{name}"), false);
    }
    cluster.applied("podid-profiles", &commit);
    kubectl.wait_for(PASSING, TEAM);
    let commit = cluster.fleet.push_profiles(&[("passing", None)]);
    cluster.applied("podid-profiles", &commit);
}

fn suspend(cluster: &Cluster, object: &str, suspend: bool) {
    let patch = json!({"spec": {"suspend": suspend}}).to_string();
    let patch = ["patch", object, "--type=merge", "--patch", &patch];
    let of_flux = ["--namespace", flux::NAMESPACE];
    cluster.kubectl().run(&[&of_flux[..], &patch].concat());
}

#[test]
fn whoever_asks_for_a_reconciliation_is_told_when_it_was_done() {
    let cluster = Release::enter();
    let kubectl = cluster.kubectl();
    let asked = "reconcile.fluxcd.io/requestedAt=now";
    for (object, namespace) in [
        ("podidentityprofile/checkout", TEAM),
        ("podidentityclass/standard", "default"),
        ("kustomization/podid-profiles", flux::NAMESPACE),
        ("helmrelease/podid", SYSTEM),
    ] {
        let annotate = ["annotate", "--overwrite", object, asked];
        kubectl.run(&[&["--namespace", namespace][..], &annotate].concat());
        kubectl.wait_until(object, namespace, "looked at as asked", |object| {
            object["status"]["lastHandledReconcileAt"] == "now"
        });
    }
}
