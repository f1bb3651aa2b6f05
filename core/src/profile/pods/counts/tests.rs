use std::time::Duration;

use super::*;
use crate::assigned_identity::AssignmentFailure;

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("apps", name)
}

fn entries(state: PodState) -> BTreeMap<ObjectKey, PodCountEntry> {
    let entry = PodCountEntry {
        state,
        audited: BTreeSet::new(),
    };
    BTreeMap::from([(key("id"), entry)])
}

fn under_way_since_now(failure: Option<AssignmentFailure>) -> PodState {
    PodState::UnderWay {
        late: false,
        failure,
    }
}

fn changed(counts: &mut PodCounts) -> Option<(usize, usize, usize, usize)> {
    let mut dirty = counts.take_dirty();
    let sum = dirty.remove(&key("id"))?;
    let late = sum.late.values().sum();
    Some((sum.bound, sum.assigned, sum.under_way, late))
}

#[test]
fn pods_are_counted_as_they_come_change_and_go() {
    let (mut counts, now) = (PodCounts::default(), Moment::default());
    counts.set(&key("a"), entries(under_way_since_now(None)), now);
    counts.set(&key("b"), entries(PodState::Assigned), now);
    assert_eq!(changed(&mut counts), Some((2, 1, 1, 0)));
    counts.set(&key("b"), entries(PodState::Assigned), now);
    assert_eq!(changed(&mut counts), None, "nothing new");
    counts.set(&key("a"), entries(PodState::Assigned), now);
    assert_eq!(changed(&mut counts), Some((2, 2, 0, 0)));
    assert_eq!(counts.next_late(), None);
    assert!(
        counts.entries[&key("id")].keys().collect::<BTreeSet<_>>()
            == BTreeSet::from([&key("a"), &key("b")])
    );
    for pod in ["a", "b"] {
        counts.set(&key(pod), BTreeMap::new(), now);
    }
    assert_eq!(changed(&mut counts), Some((0, 0, 0, 0)));
    assert!(counts.entries.is_empty() && counts.identities_of.is_empty());
}

#[test]
fn a_wait_is_measured_from_its_beginning_whatever_is_said_meanwhile() {
    let (mut counts, began) = (PodCounts::default(), Moment::default());
    let under_way = |reason: Option<&str>| {
        entries(under_way_since_now(reason.map(|reason| {
            AssignmentFailure {
                reason: reason.into(),
                message: String::new(),
            }
        })))
    };
    counts.set(&key("a"), under_way(None), began);
    let due = began + USUAL_WAIT;
    assert_eq!(counts.next_late(), Some(due));
    let now = began + USUAL_WAIT / 2;
    counts.set(&key("a"), under_way(Some("Throttled")), now);
    assert_eq!(counts.next_late(), Some(due));
    let just_before = began + (USUAL_WAIT - Duration::from_millis(1));
    assert_eq!(counts.take_late(just_before), []);
    assert_eq!(counts.take_late(due), [key("a")]);
    let now = due;
    counts.set(&key("a"), under_way(Some("Throttled")), now);
    assert_eq!(changed(&mut counts), Some((1, 0, 0, 1)));
    assert_eq!(counts.next_late(), None, "said once");
    counts.set(&key("a"), entries(PodState::Assigned), now);
    counts.set(&key("a"), under_way(None), now);
    assert_eq!(changed(&mut counts), Some((1, 0, 1, 0)), "a new wait");
}
