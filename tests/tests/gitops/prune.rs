//! What a commit removes is removed with all that it had, and nothing else.

use podid_tests::workloads::team::TEAM;
use serde_json::json;

use crate::fleet::reads_secrets;
use crate::release::Release;

#[test]
fn a_profile_that_leaves_git_takes_exactly_what_it_brought() {
    let cluster = Release::enter();
    let kubectl = cluster.kubectl();
    let in_cluster = || {
        let kinds = "podidentityprofiles,azureidentities,azureidentitybindings,configmaps";
        kubectl.run(&["get", kinds, "--all-namespaces", "--output=name"])
    };
    let before = (cluster.in_azure(), in_cluster());
    let profile = json!({"access": reads_secrets()});
    let commit = cluster.fleet.push_profiles(&[("passing", Some(profile))]);
    cluster.applied("podid-profiles", &commit);
    let meanwhile = cluster.in_azure();
    // An identity, its right on the vault, and that of the nodes on it.
    assert_eq!(meanwhile.len(), before.0.len() + 3, "{meanwhile:?}");
    kubectl.wait_for("azureidentity/passing", TEAM);
    let commit = cluster.fleet.push_profiles(&[("passing", None)]);
    cluster.applied("podid-profiles", &commit);
    kubectl.wait_until_gone("podidentityprofile/passing", TEAM);
    assert_eq!((cluster.in_azure(), in_cluster()), before);
}

#[test]
fn a_profile_that_retains_leaves_its_identity_and_says_so() {
    let cluster = Release::enter();
    let kubectl = cluster.kubectl();
    let before = cluster.in_azure();
    let retained = json!({"identity": {"deletionPolicy": "Retain"}, "access": reads_secrets()});
    let commit = cluster.fleet.push_profiles(&[("retained", Some(retained))]);
    cluster.applied("podid-profiles", &commit);
    let meanwhile = cluster.in_azure();
    let commit = cluster.fleet.push_profiles(&[("retained", None)]);
    cluster.applied("podid-profiles", &commit);
    kubectl.wait_until_gone("podidentityprofile/retained", TEAM);
    let after = cluster.in_azure();
    let identities = |all: &[String]| {
        all.iter()
            .filter(|one| one.starts_with("\"/") && one.contains("lab-payments-retained"))
            .count()
    };
    assert_eq!(
        (identities(&before), identities(&meanwhile)),
        (0, 1),
        "{meanwhile:?}"
    );
    assert_eq!(identities(&after), 1, "{after:?}");
    let selector = "--field-selector=involvedObject.name=retained,reason=IdentityRetained";
    let events = kubectl.json(&["--namespace", TEAM, "get", "events", selector]);
    let message = events["items"][0]["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("/userAssignedIdentities/lab-payments-retained"),
        "{events}"
    );
}
