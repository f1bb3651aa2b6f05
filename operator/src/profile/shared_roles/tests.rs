use std::pin::pin;

use futures::{FutureExt, StreamExt};
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::profile::EndedProfiles;
use crate::profile::tests::fixture::Fixture;

fn profile(name: &str, class: &str) -> PodIdentityProfile {
    serde_json::from_value(json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityProfile",
        "metadata": { "name": name, "namespace": "ns", "uid": format!("uid of {name}") },
        "spec": { "className": class },
    }))
    .expect("a profile")
}

/// A profile that is made, of a class with a role on the nodes' group.
async fn made(spec: Value) -> Fixture {
    let mut fixture = Fixture::with_profile(spec);
    fixture.class_grants();
    fixture.reconcile().await.expect("reconciled");
    assert_eq!(fixture.roles(), 2, "on the identity and on the group");
    fixture
}

#[tokio::test]
async fn the_last_profile_takes_along_what_the_class_granted_for_all() {
    let mut fixture = made(json!({ "className": "c" })).await;
    fixture.beside(&[]);
    fixture.delete();
    fixture.reconcile().await.expect("deleted");
    assert_eq!(fixture.roles(), 0);
}

#[tokio::test]
async fn while_another_profile_is_left_the_role_stays() {
    let mut fixture = made(json!({ "className": "c" })).await;
    fixture.beside(&[profile("other", "c")]);
    fixture.delete();
    fixture.reconcile().await.expect("deleted");
    assert_eq!(fixture.roles(), 1);
}

#[tokio::test]
async fn a_profile_whose_class_is_missing_may_need_it_if_anything_was_made_for_it() {
    let mut other = profile("other", "gone");
    for (is_made, left) in [(false, 0), (true, 1)] {
        let mut fixture = made(json!({ "className": "c" })).await;
        if is_made {
            other.status = fixture.profile().status;
        }
        fixture.beside(&[other.clone()]);
        fixture.delete();
        fixture.reconcile().await.expect("deleted");
        assert_eq!(fixture.roles(), left);
    }
}

#[tokio::test]
async fn what_is_retained_keeps_the_roles_that_it_is_used_by() {
    let identity = json!({ "name": "a", "deletionPolicy": "Retain" });
    let fixture = made(json!({ "className": "c", "identity": identity })).await;
    fixture.delete();
    fixture.reconcile().await.expect("deleted");
    assert_eq!(fixture.roles(), 2);
}

#[test]
fn of_two_profiles_that_end_at_once_one_is_the_last() {
    let (one, other) = (profile("one", "c"), profile("other", "c"));
    let mut profiles = Writer::default();
    for profile in [&one, &other] {
        profiles.apply_watcher_event(&Event::Apply(profile.clone()));
    }
    let (ended, store) = (EndedProfiles::default(), profiles.as_reader());
    let left = |profile| ended.end(profile, &store).len();
    assert_eq!([left(&one), left(&other)], [1, 0]);
    assert_eq!(left(&one), 0, "also when it is repeated");

    // Under the name of one that has ended there may be another.
    let mut anew = one.clone();
    anew.metadata.uid = Some("another uid".to_owned());
    profiles.apply_watcher_event(&Event::Apply(anew));
    assert_eq!(left(&other), 1);
}

/// It may have found the role before that was revoked.
#[tokio::test]
async fn a_profile_that_came_meanwhile_is_read_again() {
    let mut fixture = made(json!({ "className": "c" })).await;
    fixture.beside(&[profile("late", "c")]);
    let context = fixture.context();
    let mut startable = pin!(context.queue.startable());
    assert!(startable.next().now_or_never().is_none());
    context.ended.end(&fixture.profile(), &context.profiles);
    read_others_again(context);
    let next = startable.next().await.expect("no end");
    assert_eq!(next.name, "late");
}
