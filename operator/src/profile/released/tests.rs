use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use podid_core::profile::pods::BoundPods;
use serde_json::json;

use super::*;
use crate::assigned_identity::{AssignmentView, ObjectKey};
use crate::profile::pods::write_counts;
use crate::profile::tests::fixture::Fixture;
use crate::target::fake::{id, ids, target};

/// Long after anything that does not wait for the API server has happened.
const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn a_release_does_not_wait_for_a_count_that_hangs() {
    let fixture = Fixture::with_profile(json!({ "className": "c" }));
    fixture.set_identity(id("a").as_str());
    let (assignment_view, changes) = AssignmentView::new();
    assignment_view.set_known();
    let context = fixture.context_with(assignment_view.clone());
    let hold = fixture.hold_status_writes();
    let (concerned, _receiver) = mpsc::unbounded_channel();
    let counting = write_counts(
        Arc::clone(&context),
        changes.counts,
        stream::pending(),
        concerned,
    );
    let counting = tokio::spawn(counting);
    let waiting = waiting_profiles(changes.targets_with_identity, context.profiles.clone());
    let mut waiting = Box::pin(waiting);
    let bound = BoundPods {
        bound: 1,
        ..BoundPods::default()
    };
    assignment_view.set_bound_pods(&ObjectKey::new("ns", "p"), bound);
    hold.reached().await;
    assignment_view.set_on_target(&target(), ids(&["a"]));
    assignment_view.set_on_target(&target(), ids(&[]));
    for change in ["assigned", "released"] {
        let profile = tokio::time::timeout(LIMIT, waiting.next()).await;
        let profile = profile.unwrap_or_else(|_| panic!("{change}: waits for the count"));
        assert_eq!(profile.expect("a profile").name, "p");
    }
    assert!(!counting.is_finished());
    counting.abort();
}

#[tokio::test(start_paused = true)]
async fn a_profile_made_before_pods_are_known_is_looked_at_when_they_are() {
    let fixture = Fixture::with_profile(json!({ "className": "c" }));
    let ready = json!([{
        "type": "Ready", "status": "True", "observedGeneration": 1, "reason": "Ready",
        "message": "ready", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]);
    fixture.set_status(json!({ "conditions": ready }));
    let (assignment_view, changes) = AssignmentView::new();
    let context = fixture.context_with(assignment_view.clone());
    let waiting = waiting_profiles(changes.targets_with_identity, context.profiles.clone());
    let mut waiting = Box::pin(waiting);
    assignment_view.set_known();
    let profile = tokio::time::timeout(LIMIT, waiting.next()).await;
    let profile = profile.expect("it is looked at");
    assert_eq!(profile.expect("a profile").name, "p");
}
