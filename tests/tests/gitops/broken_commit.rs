//! A commit with a profile that cannot work fails at once, in words, and what runs goes on.

use serde_json::json;

use crate::fleet::{reads_secrets, vault};
use crate::release::{CHECKOUT, Release};

#[test]
fn a_right_that_the_class_does_not_list_is_refused_at_the_door_and_a_revert_heals_it() {
    let cluster = Release::enter();
    let denied = json!({"access": [{"role": "Owner", "scope": vault()}]});
    let before = cluster.profile_is_ready(CHECKOUT);
    let commit = cluster.fleet.push_profiles(&[("broken", Some(denied))]);
    let said = cluster.failed("podid-profiles", &commit);
    // The layer says which profile it is, and which field.
    for words in [
        "payments/broken",
        "podid-class-limits",
        "spec.access[0].role",
        "Owner",
    ] {
        assert!(said.contains(words), "{words} is not in: {said}");
    }
    assert_eq!(cluster.profile_is_ready(CHECKOUT), before);
    let commit = cluster.fleet.revert();
    cluster.applied("podid-profiles", &commit);
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
