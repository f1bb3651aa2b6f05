//! When a comparison begins, and what is reported while it goes on.

use super::*;

#[test]
fn a_steady_stream_of_changes_puts_a_comparison_off_by_one_window_at_most() {
    let mut bench = Bench::new(&[], &[]);
    bench.reconcile(&["a"]);
    bench.wake();
    let (first, reads) = (bench.now, bench.reads);
    for number in 0..=3 {
        bench.now = first + WINDOW * number / 3;
        if bench.wake.is_some_and(|wake| wake <= bench.now) {
            bench.feed(TargetEvent::Woke);
        }
        bench.desired.desired.insert(id(&format!("n{number}")));
        bench.generation += 1;
        let desired = bench.desired.clone();
        bench.feed(TargetEvent::Desired(bench.generation, desired));
    }
    assert_eq!(bench.reads, reads + 1, "one window after the first change");
    assert!(
        bench.on_target().contains(&id("n2")),
        "with what came since"
    );
}

#[test]
fn what_a_later_part_removes_is_not_reported_after_an_earlier_one() {
    let mut bench = Bench::new(&["old"], &["old"]);
    let names = many(MAX_CHANGES);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bench.reconcile(&names);
    assert_eq!(bench.patches.len(), 2, "all that is added, then the rest");
    let present = bench.reports.iter().filter_map(|it| it.present.as_ref());
    let mut reported = present.filter(|present| present.contains(&id("old")));
    assert!(reported.next().is_none(), "a pod would seem to have it");
}
