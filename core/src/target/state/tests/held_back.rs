//! Calls that do not leave, so that Azure's request limits are kept.

use super::*;

const WAIT: Duration = Duration::from_secs(30);

fn held_back() -> TargetError {
    TargetError {
        refused: false,
        retry_after: Some(WAIT),
        ..error(TargetErrorClass::HeldBack, "")
    }
}

#[test]
fn a_change_that_is_held_back_is_made_at_its_time_and_is_no_failure() {
    let mut bench = Bench::new(&[], &[]);
    bench.refusal = Some(Box::new(held_back));
    bench.reconcile(&["a"]);
    for _ in 0..20 {
        assert_eq!(bench.wait(), Some(WAIT), "no back-off");
        bench.wake();
    }
    assert_eq!(bench.state.pause.failures, 0);
    assert_eq!(bench.logged, []);
    assert!(
        bench
            .reports
            .iter()
            .all(|status| status.failures.is_empty())
    );
    bench.refusal = None;
    bench.wake();
    assert_eq!(bench.on_target(), ids(&["a"]));
    assert!(bench.compares_at_the_interval());
}

#[test]
fn what_was_reported_stays_while_a_call_is_held_back() {
    let mut bench = Bench::new(&[], &[]);
    bench.refusal = Some(Box::new(|| {
        error(TargetErrorClass::Forbidden, "AuthorizationFailed")
    }));
    bench.reconcile(&["a"]);
    let (reported, failures) = (bench.status().clone(), bench.state.pause.failures);
    bench.refusal = Some(Box::new(held_back));
    bench.wake();
    assert_eq!(*bench.status(), reported);
    assert_eq!(bench.state.pause.failures, failures);
}

#[test]
fn a_pod_that_comes_meanwhile_does_not_wait_for_a_look_that_is_held_back() {
    let mut bench = Bench::new(&["a"], &["a"]);
    bench.reconcile(&["a"]);
    bench.now = bench.wake.expect("it looks again");
    let read = bench.state.step(TargetEvent::Woke, bench.now);
    assert_eq!(read, [TargetAction::Read]);
    assert!(!bench.state.is_awaited(), "all is well");
    bench.feed(TargetEvent::Read(Err(held_back())));
    assert_eq!(bench.wait(), Some(WAIT));
    bench.desired.desired = ids(&["a", "b"]);
    bench.generation += 1;
    let desired = TargetEvent::Desired(bench.generation, bench.desired.clone());
    bench.feed(desired);
    assert!(bench.wait() < Some(WAIT), "{:?}", bench.wait());
    bench.wake();
    assert_eq!(bench.on_target(), ids(&["a", "b"]));
}

#[test]
fn a_comparison_is_awaited_when_it_may_find_something_to_do() {
    // On the target, by the record, desired.
    let table = [
        (&["a"][..], &["a"][..], &["a"][..], false),
        (&[], &["a"], &["a", "b"], true),
        (&[], &["a", "b"], &["a"], true),
        (&[], &[], &["a"], true),
        (&[], &[], &[], false),
    ];
    for (on_target, record, desired, is_awaited) in table {
        let mut bench = Bench::new(on_target, record);
        bench.desired.desired = ids(desired);
        let first = TargetEvent::Desired(1, bench.desired.clone());
        bench.feed(first);
        bench.now = bench.wake.expect("the first look");
        let read = bench.state.step(TargetEvent::Woke, bench.now);
        assert_eq!(read, [TargetAction::Read]);
        assert_eq!(
            bench.state.is_awaited(),
            is_awaited,
            "{record:?} {desired:?}"
        );
    }
    // What stays on the target for another reason is nothing to wait for.
    let mut bench = Bench::new(&["a", "b"], &["a", "b"]);
    bench.state.settings.immutable = ids(&["a"]);
    bench.desired.kept = ids(&["b"]);
    bench.reconcile(&[]);
    assert!(!bench.state.is_awaited());
}
