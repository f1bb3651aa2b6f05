//! A commit with a profile that cannot work fails at once, in words, and stops nothing else.

use podid_tests::workloads::team::TEAM;
use serde_json::json;

use crate::cluster::condition;
use crate::fleet::{reads_secrets, vault};
use crate::release::{CHECKOUT, Release};

#[test]
fn a_right_that_the_class_does_not_list_fails_at_once_and_a_revert_heals_it() {
    let cluster = Release::enter();
    let denied = json!({"access": [{"role": "Owner", "scope": vault()}]});
    let good = json!({"access": reads_secrets()});
    let before = cluster.profile_is_ready(CHECKOUT);
    let commit = cluster
        .fleet
        .push_profiles(&[("broken", Some(denied)), ("bystander", Some(good))]);
    let said = cluster.failed("podid-profiles", &commit);
    assert!(
        said.contains("PodIdentityProfile/payments/broken") && !said.contains("bystander"),
        "{said}"
    );
    // The layer says which profile it is, and the profile says which field.
    let broken = cluster
        .kubectl()
        .wait_for("podidentityprofile/broken", TEAM);
    let stalled = condition(&broken, "Stalled");
    let message = stalled["message"].as_str().unwrap();
    assert!(
        message.contains("access[0]") && message.contains("Owner"),
        "{stalled}"
    );
    cluster.profile_is_ready("bystander");
    assert_eq!(cluster.profile_is_ready(CHECKOUT), before);
    let commit = cluster.fleet.revert();
    cluster.applied("podid-profiles", &commit);
    for gone in ["podidentityprofile/broken", "podidentityprofile/bystander"] {
        cluster.kubectl().wait_until_gone(gone, TEAM);
    }
}

#[test]
fn a_field_that_no_profile_has_is_refused_by_the_api_server() {
    let cluster = Release::enter();
    let misspelled = json!({"acess": reads_secrets()});
    let before = cluster.profile_is_ready(CHECKOUT);
    let commit = cluster
        .fleet
        .push_profiles(&[("misspelled", Some(misspelled))]);
    let said = cluster.failed("podid-profiles", &commit);
    assert!(
        said.contains(".spec.acess") && said.contains("misspelled"),
        "{said}"
    );
    assert_eq!(cluster.profile_is_ready(CHECKOUT), before);
    let commit = cluster.fleet.revert();
    cluster.applied("podid-profiles", &commit);
}
