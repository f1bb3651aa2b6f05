//! What is left on a target, and when nothing is left to do there.

use super::*;

#[test]
fn the_last_user_takes_ours_away_and_nothing_else() {
    let mut bench = Bench::new(&["foreign", "a"], &["a"]);
    bench.reconcile(&[]);
    assert!(bench.wake.is_none() && bench.status().at_rest);
    assert_eq!(bench.on_target(), ids(&["foreign"]));
    assert_eq!(bench.saved, [ids(&[])]);
    assert_eq!(bench.status().ours, ids(&[]));
    assert_eq!(bench.state.status(), bench.status(), "the last report");
    let woken = bench.state.step(TargetEvent::Woke, bench.now);
    assert_eq!(woken, [TargetAction::Rest], "nothing is to be done");
}

#[test]
fn it_is_looked_at_again_while_anything_is_desired_or_recorded() {
    // Somebody else has put it on.
    let mut desired = Bench::new(&["a"], &[]);
    desired.reconcile(&["a"]);
    // Nobody desires it any more, and it has to stay.
    let mut recorded = Bench::new(&["a"], &["a"]);
    recorded.desired.kept = ids(&["a"]);
    recorded.reconcile(&[]);
    for bench in [desired, recorded] {
        assert!(bench.compares_at_the_interval());
        assert!(!bench.status().at_rest);
    }
}

#[test]
fn what_is_kept_is_neither_put_on_nor_taken_off() {
    let mut bench = Bench::new(&["a"], &["a"]);
    bench.desired.kept = ids(&["a", "b"]);
    bench.reconcile(&[]);
    assert_eq!((bench.on_target(), bench.patches.len()), (ids(&["a"]), 0));
}

#[test]
fn what_is_immutable_stays_also_when_it_is_kept() {
    let mut bench = Bench::new(&["a"], &["a"]);
    bench.state.settings.immutable = ids(&["a"]);
    bench.desired.kept = ids(&["a"]);
    bench.reconcile(&[]);
    assert_eq!((bench.on_target(), bench.patches.len()), (ids(&["a"]), 0));
}
