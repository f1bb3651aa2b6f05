//! How often identities are tried again that Azure refuses for long.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A target on which twenty identities are refused, and one is good, some minutes later.
fn refused_for_long(poison: Poison) -> Bench {
    let mut bench = Bench::new(&[], &[]);
    let names = many(20);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bench.spoil(&names, poison);
    bench.reconcile(&[names.as_slice(), &["good"]].concat());
    assert_eq!(bench.on_target(), ids(&["good"]), "{poison:?}");
    pass(&mut bench, 5 * MINUTE);
    assert_eq!(bench.failed(), ids(&names), "{poison:?}");
    let failures = &bench.status().failures;
    let is_told = failures
        .values()
        .all(|failure| failure.permanent().is_some());
    assert!(is_told, "{poison:?}: a person is to act");
    bench
}

/// Lets this time pass, and returns how many changes were sent in it.
fn pass(bench: &mut Bench, time: Duration) -> usize {
    let (before, end) = (bench.patches.len(), bench.now + time);
    while bench.wake.is_some_and(|wake| wake <= end) {
        bench.wake();
    }
    bench.now = end;
    bench.patches.len() - before
}

#[test]
fn all_of_a_target_share_two_changes_a_minute() {
    for poison in Poison::ALL {
        let mut bench = refused_for_long(poison);
        let sent = pass(&mut bench, 60 * MINUTE);
        assert!((60..=120).contains(&sent), "{poison:?}: {sent} in an hour");
    }
}

#[test]
fn when_all_are_mended_the_second_try_finds_it() {
    for poison in Poison::ALL {
        let mut bench = refused_for_long(poison);
        bench.spoil(&[], poison);
        let sent = pass(&mut bench, 6 * MINUTE);
        assert_eq!(bench.failed(), ids(&[]), "{poison:?}");
        assert!(sent <= 12, "{poison:?}: {sent}");
    }
}

#[test]
fn one_that_is_mended_is_found_though_nobody_says_so() {
    for poison in Poison::ALL {
        let mut bench = refused_for_long(poison);
        bench.azure.poisoned.remove(&id("i7"));
        pass(&mut bench, 25 * MINUTE);
        assert!(bench.on_target().contains(&id("i7")), "{poison:?}");
    }
}

#[test]
fn what_could_mend_one_has_it_tried_at_once_and_alone() {
    let requested = TargetEvent::Requested(id("i7"));
    for event in [requested, TargetEvent::MayBeMended(id("i7"))] {
        let mut bench = refused_for_long(Poison::BadRequest);
        bench.azure.poisoned.remove(&id("i7"));
        bench.feed(event.clone());
        let sent = pass(&mut bench, crate::target::BETWEEN_REQUESTS);
        assert!(bench.on_target().contains(&id("i7")), "{event:?}");
        assert!(sent <= 2, "{event:?}: {sent}");
    }
}

#[test]
fn one_that_is_made_anew_is_tried_at_once() {
    let mut bench = refused_for_long(Poison::Deleted);
    bench.azure.poisoned.remove(&id("i7"));
    for client_id in ["of before", "c0"] {
        assert!(!bench.on_target().contains(&id("i7")));
        let client_id = client_id.to_owned();
        bench.desired.client_ids.insert(id("i7"), client_id);
        bench.generation += 1;
        let desired = TargetEvent::Desired(bench.generation, bench.desired.clone());
        bench.feed(desired);
    }
    pass(&mut bench, crate::target::BETWEEN_REQUESTS);
    assert!(bench.on_target().contains(&id("i7")));
}

#[test]
fn what_may_have_mended_one_that_was_not_refused_is_no_reason_to_read() {
    let mut bench = Bench::new(&[], &[]);
    bench.reconcile(&["a"]);
    let reads = bench.reads;
    bench.feed(TargetEvent::MayBeMended(id("a")));
    assert!(bench.compares_at_the_interval());
    assert_eq!(bench.reads, reads);
}
