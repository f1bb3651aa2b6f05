//! A target that Azure is changing already: a former leader's change that outlived it, or somebody else's.

use super::*;

/// How long Azure takes for a change of a scale set.
const TAKES: Duration = Duration::from_secs(40);

/// A leader that takes over in the middle of a change that adds `a`, when `a` and `b` are desired.
fn taken_over() -> (Bench, Moment) {
    let mut bench = Bench::new(&[], &["a"]);
    let free = bench.now + TAKES;
    bench.azure.change(ids(&["a"]), ids(&[]), free);
    bench.reconcile(&["a", "b"]);
    (bench, free)
}

/// Looks whenever it is due, until the target is free and looked at.
fn wait_until_free(bench: &mut Bench, free: Moment) {
    while bench.now < free {
        bench.now = bench.wake.expect("it is to look again");
        bench.azure.end(bench.now);
        bench.feed(TargetEvent::Woke);
    }
}

#[test]
fn nothing_is_written_into_a_change_and_what_is_missing_follows_at_once() {
    let (mut bench, free) = taken_over();
    assert_eq!((bench.patches.len(), bench.saved.len()), (0, 0));
    wait_until_free(&mut bench, free);
    assert_eq!(bench.on_target(), ids(&["a", "b"]));
    let planned = bench.patches.iter().map(|patch| patch.plan.add.clone());
    assert_eq!(planned.collect::<Vec<_>>(), [ids(&["b"])], "as undisturbed");
    let late = bench.now.saturating_duration_since(free);
    assert!(late <= TAKES / 8, "{late:?}");
    assert!(bench.compares_at_the_interval());
    assert_eq!(bench.logged, [], "there was no conflict");
}

#[test]
fn pods_that_arrive_meanwhile_are_no_reason_to_read_more_often() {
    let reads_with = |arrivals: u64| {
        let (mut bench, free) = taken_over();
        let mut names = vec!["a".to_owned(), "b".to_owned()];
        for number in 0..arrivals {
            names.push(format!("n{number}"));
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            bench.desired.desired = ids(&names);
            bench.generation += 1;
            let desired = TargetEvent::Desired(bench.generation, bench.desired.clone());
            bench.feed(desired);
        }
        wait_until_free(&mut bench, free);
        assert_eq!(bench.patches.len(), 1);
        assert_eq!(bench.on_target(), bench.desired.desired);
        bench.reads
    };
    assert_eq!(reads_with(50), reads_with(0));
}

#[test]
fn a_change_that_begins_between_two_parts_is_waited_for() {
    let mut bench = Bench::new(&[], &[]);
    let names = many(MAX_CHANGES + 1);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bench.stays_changing_after_a_patch = true;
    bench.reconcile(&names);
    assert_eq!(bench.patches.len(), 1, "the second part waits");
    bench.stays_changing_after_a_patch = false;
    bench.wake();
    assert_eq!(bench.patches.len(), 2);
    assert_eq!(bench.on_target(), bench.desired.desired);
}

#[test]
fn what_a_change_puts_on_counts_when_the_change_has_ended() {
    let present = |bench: &Bench| bench.status().present.clone().unwrap_or_default();
    let (mut bench, free) = taken_over();
    assert_eq!(present(&bench), ids(&[]), "it may still fail");
    wait_until_free(&mut bench, free);
    assert_eq!(present(&bench), ids(&["a", "b"]));
}

#[test]
fn what_was_there_before_a_change_stays_there_for_the_next_leader() {
    let mut bench = Bench::new(&["old"], &["old", "a"]);
    bench.state = bench.state.clone().having(ids(&["old", "gone"]));
    bench.azure.change(ids(&["a"]), ids(&[]), bench.now + TAKES);
    bench.reconcile(&["old", "a"]);
    assert_eq!(bench.status().present, Some(ids(&["old"])));
}
