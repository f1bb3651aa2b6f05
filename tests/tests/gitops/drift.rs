//! What somebody changes by hand ends as the object's mode says.

use podid_azure::{ArmRoleAssignments, RoleAssignments};
use podid_tests::azure;
use podid_tests::workloads::team::TEAM;
use podid_tests::workloads::wait_until;
use serde_json::{Value, json};

use crate::cluster::{Cluster, condition};
use crate::fleet::{ROLE, reads_secrets, vault};
use crate::release::{CHECKOUT, Release};

/// Merges a change into an object, as with `kubectl edit`.
fn edit(cluster: &Cluster, object: &str, change: &Value) {
    let change = change.to_string();
    let patch = ["patch", object, "--type=merge", "--patch", &change];
    cluster
        .kubectl()
        .run(&[&["--namespace", TEAM][..], &patch].concat());
}

#[test]
fn edited_rights_of_the_operator_are_put_back_by_helm_controller() {
    let cluster = Release::enter();
    let object = "clusterrole/podid-operator";
    let before = cluster.kubectl().wait_for(object, "default");
    edit(&cluster, object, &json!({"rules": []}));
    cluster
        .kubectl()
        .wait_until(object, "default", "as it was", |now| {
            now["rules"] == before["rules"]
        });
}

#[test]
fn an_edited_profile_is_put_back_by_kustomize_controller() {
    let cluster = Release::enter();
    let before = cluster.profile_is_ready(CHECKOUT);
    let rights = cluster.in_azure();
    let object = format!("podidentityprofile/{CHECKOUT}");
    edit(&cluster, &object, &json!({"spec": {"access": []}}));
    cluster
        .kubectl()
        .wait_until(&object, TEAM, "as it was", |now| {
            now["spec"] == before["spec"]
                && now["metadata"]["generation"] != before["metadata"]["generation"]
        });
    cluster.profile_is_ready(CHECKOUT);
    assert_eq!(cluster.in_azure(), rights);
}

/// Revokes the right of a profile's identity on the vault, as somebody with rights in Azure could.
fn revoke(cluster: &Cluster, profile: &Value) {
    let principal = profile["status"]["identity"]["principalId"]
        .as_str()
        .unwrap();
    let roles = ArmRoleAssignments::new(&azure::as_operator(&cluster.lab));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for held in roles.list_for_principal(&vault(), principal).await.unwrap() {
            roles.delete(&held.id).await.unwrap();
        }
    });
    assert!(!has_right(cluster, profile));
}

fn has_right(cluster: &Cluster, profile: &Value) -> bool {
    let principal = profile["status"]["identity"]["principalId"]
        .as_str()
        .unwrap();
    let rights = cluster.in_azure();
    rights
        .iter()
        .any(|right| right.contains(principal) && right.contains(ROLE))
}

#[test]
fn a_right_revoked_in_azure_is_granted_again() {
    let cluster = Release::enter();
    let profile = cluster.profile_is_ready(CHECKOUT);
    revoke(&cluster, &profile);
    wait_until("the right is there again", || has_right(&cluster, &profile));
    cluster.profile_is_ready(CHECKOUT);
}

#[test]
fn a_profile_that_observes_reports_a_right_revoked_in_azure() {
    let cluster = Release::enter();
    let kubectl = cluster.kubectl();
    let spec = json!({"access": reads_secrets(), "drift": "Observe"});
    // It is made first: a profile that only observes makes nothing.
    let made = json!({"access": reads_secrets()});
    for spec in [made, spec] {
        let commit = cluster.fleet.push_profiles(&[("observed", Some(spec))]);
        cluster.applied("podid-profiles", &commit);
    }
    let profile = cluster.profile_is_ready("observed");
    revoke(&cluster, &profile);
    let object = "podidentityprofile/observed";
    let told = kubectl.wait_until(object, TEAM, "reporting the difference", |profile| {
        profile["status"]["plannedChanges"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    });
    assert!(
        told["status"]["plannedChanges"].to_string().contains(ROLE),
        "{told}"
    );
    assert!(!has_right(&cluster, &profile));
    assert_eq!(condition(&told, "Ready")["reason"], "DriftDetected");
    let commit = cluster.fleet.push_profiles(&[("observed", None)]);
    cluster.applied("podid-profiles", &commit);
}
