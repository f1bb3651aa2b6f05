use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use podid_core::assigned_identity::AssignmentFailure;
use podid_core::net_raw::Breach;
use podid_core::profile::pods::{ASSIGNMENT_READY, BoundPods, PodState};
use podid_crds::podid::PodIdentityProfileStatus;

use super::*;
use crate::conditions::now;
use crate::profile::tests::fixture::{Fixture, Trouble};

fn pods(states: &[(&str, PodState)]) -> BoundPods {
    let mut pods = BoundPods::default();
    for (name, state) in states {
        pods.add(name, state, &BTreeSet::new());
    }
    pods
}

fn refused() -> PodState {
    PodState::Refused([Breach::KeepsNetRaw("app".into())].into())
}

fn failed(reason: &str) -> PodState {
    PodState::Failed(AssignmentFailure {
        reason: reason.into(),
        message: format!("mend {reason}"),
    })
}

#[test]
fn a_profile_is_looked_at_again_only_for_what_changes_readiness() {
    let (assignment_view, _changes) = AssignmentView::new();
    let key = ObjectKey::new("apps", "web");
    let mut effects = Effects::default();
    let mut changed = |states: &[(&str, PodState)]| {
        assignment_view.set_bound_pods(&key, pods(states));
        effects.have_changed(&key, &assignment_view)
    };
    assert!(!changed(&[("a", refused())]), "nothing is known yet");
    assignment_view.set_known();
    assert!(!changed(&[("a", PodState::Assigned)]));
    assert!(changed(&[("a", failed("Forbidden"))]));
    assert!(!changed(&[
        ("a", failed("Forbidden")),
        ("b", failed("Forbidden"))
    ]));
    assert!(changed(&[("a", failed("Throttled"))]));
    assert!(changed(&[("a", refused())]));
    assert!(!changed(&[("a", refused()), ("b", PodState::Assigned)]));
    assert!(changed(&[("a", refused()), ("b", refused())]));
    assert!(changed(&[]));
    assert!(!changed(&[]));
}

#[test]
fn the_two_owners_of_a_status_leave_each_other_alone() {
    let condition = |kind: &str| meta::Condition {
        type_: kind.into(),
        status: "True".into(),
        reason: "R".into(),
        message: "m".into(),
        observed_generation: Some(1),
        last_transition_time: now(),
    };
    let old = PodIdentityProfileStatus {
        conditions: Some(vec![condition("Ready"), condition(ASSIGNMENT_READY)]),
        bound_pods: Some(2),
        assigned_pods: Some(1),
        refused_pods: Some(Vec::new()),
        refused_pod_count: Some(1),
        observed_generation: Some(7),
        ..PodIdentityProfileStatus::default()
    };
    let rest = without_pods(old.clone());
    assert_eq!(of_pods(&rest), PodIdentityProfileStatus::default());
    assert_eq!(rest.observed_generation, Some(7));
    assert_eq!(keeping_pods(rest, &old), old);
}

/// `AssignmentReady` is written only once the binding was applied. Whoever counts before that is seen writes
/// none, and no pod may change afterwards.
#[tokio::test(start_paused = true)]
async fn a_profile_that_changes_is_counted_again() {
    let fixture = Fixture::with_profile(json!({ "className": "c" }));
    fixture.set_status(json!({ "conditions": [{
        "type": "BindingReady", "status": "True", "observedGeneration": 1, "reason": "Bound",
        "message": "bound", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]}));
    let (assignment_view, changes) = AssignmentView::new();
    assignment_view.set_known();
    let context = fixture.context_with(assignment_view);
    let write = fixture.hold_status_writes();
    let (concerned, _receiver) = mpsc::unbounded_channel();
    let changed = stream::iter([Arc::new(fixture.profile())]).chain(stream::pending());
    let counting = tokio::spawn(write_counts(context, changes.counts, changed, concerned));
    let written = tokio::time::timeout(Duration::from_secs(10), write.reached()).await;
    assert!(written.is_ok(), "no count is written");
    counting.abort();
}

/// A profile without pods, which was made while the operator was starting: no count of it changes any more.
#[tokio::test(start_paused = true)]
async fn each_profile_is_counted_once_all_pods_are_known() {
    let fixture = Fixture::with_profile(json!({ "className": "c" }));
    let (assignment_view, changes) = AssignmentView::new();
    let context = fixture.context_with(assignment_view.clone());
    let write = fixture.hold_status_writes();
    let (concerned, _receiver) = mpsc::unbounded_channel();
    let changed = stream::iter([Arc::new(fixture.profile())]).chain(stream::pending());
    let counting = tokio::spawn(write_counts(context, changes.counts, changed, concerned));
    let written = async || {
        let reached = tokio::time::timeout(Duration::from_secs(10), write.reached());
        reached.await.is_ok()
    };
    assert!(!written().await, "nothing is known");
    assignment_view.set_known();
    assert!(written().await, "no count is written");
    counting.abort();
}

/// The pods stay what they are, so nothing else leads to another try.
#[tokio::test(start_paused = true)]
async fn a_count_that_was_refused_is_written_later() {
    let fixture = Fixture::with_profile(json!({ "className": "c" }));
    let (assignment_view, changes) = AssignmentView::new();
    assignment_view.set_known();
    let context = fixture.context_with(assignment_view.clone());
    fixture.troubles(&[Trouble::Refused]);
    let (concerned, _receiver) = mpsc::unbounded_channel();
    let counting = write_counts(context, changes.counts, stream::pending(), concerned);
    let counting = tokio::spawn(counting);
    let one = pods(&[("a", PodState::Assigned)]);
    assignment_view.set_bound_pods(&ObjectKey::new("ns", "p"), one);
    let written = async {
        while fixture.profile().status.and_then(|it| it.bound_pods) != Some(1) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let written = tokio::time::timeout(Duration::from_secs(60), written).await;
    assert!(written.is_ok(), "no count is written");
    counting.abort();
}

/// The wait of the deletion may be an hour, and nothing else tells that its pods have ended.
#[tokio::test(start_paused = true)]
async fn a_deleted_profile_is_looked_at_when_its_last_pod_has_ended() {
    let fixture = Fixture::with_profile(json!({ "className": "c" }));
    fixture.delete_now();
    let (assignment_view, changes) = AssignmentView::new();
    assignment_view.set_known();
    let context = fixture.context_with(assignment_view.clone());
    let (concerned, mut looked_at) = mpsc::unbounded_channel();
    let counting = write_counts(context, changes.counts, stream::pending(), concerned);
    let counting = tokio::spawn(counting);
    let key = ObjectKey::new("ns", "p");
    let mut next = async |states: &[(&str, PodState)]| {
        assignment_view.set_bound_pods(&key, pods(states));
        tokio::time::timeout(Duration::from_secs(10), looked_at.recv()).await
    };
    assert!(next(&[("a", PodState::Assigned)]).await.is_err());
    let ended = next(&[]).await.expect("looked at");
    assert_eq!(ended, Some(profile_of(&key)));
    counting.abort();
}
