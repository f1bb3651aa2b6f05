use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::arm::ArmId;
use crate::arm_budget::{CallPriority, RequestKind};

fn key(namespace: &str, number: usize) -> ObjectKey {
    ObjectKey::new(namespace, format!("p{number}"))
}

fn entry(urgency: Urgency, group: &str) -> QueueEntry {
    QueueEntry {
        urgency,
        place: Some(AzurePlace::new("s", group)),
        work: ProfileWork::Update,
        not_before: Moment::default(),
    }
}

fn queue(total: u16) -> ReconcileQueue {
    ReconcileQueue::new(QueueLimits::new(total))
}

/// Gives the queue a profile that may wait.
fn push(queue: &mut ReconcileQueue, profile: &ObjectKey, entry: QueueEntry) {
    assert_eq!(queue.push(profile, entry, Moment::default()), None);
}

/// Long enough after the start for the budget to be full.
const LATER: Moment = Moment::after_start(Duration::from_secs(3600));

/// Starts the next profile while the budget is full.
fn start_next(queue: &mut ReconcileQueue) -> Option<ObjectKey> {
    queue.start_next(LATER, &ArmBudget::default())
}

fn started(queue: &mut ReconcileQueue) -> Vec<ObjectKey> {
    std::iter::from_fn(|| start_next(queue)).collect()
}

#[test]
fn a_change_goes_before_all_that_is_only_looked_at_again() {
    let mut queue = queue(8);
    for number in 0..1500 {
        push(&mut queue, &key("a", number), entry(Urgency::Recheck, "g"));
    }
    assert_eq!(started(&mut queue).len(), 2, "most of the places stay free");
    push(&mut queue, &key("b", 0), entry(Urgency::Change, "g"));
    assert_eq!(start_next(&mut queue), Some(key("b", 0)));
}

#[test]
fn a_profile_that_waits_for_a_look_and_is_changed_goes_first() {
    let mut queue = queue(2);
    for number in 0..100 {
        push(&mut queue, &key("a", number), entry(Urgency::Recheck, "g"));
    }
    assert_eq!(start_next(&mut queue), Some(key("a", 0)));
    queue.end(&key("a", 0));
    push(&mut queue, &key("a", 99), entry(Urgency::Change, "g"));
    assert_eq!(start_next(&mut queue), Some(key("a", 99)));
    queue.end(&key("a", 99));
    assert_eq!(queue.len(), 98, "it does not wait twice");
    push(&mut queue, &key("a", 50), entry(Urgency::Change, "g"));
    push(&mut queue, &key("a", 50), entry(Urgency::Recheck, "g"));
    assert_eq!(
        start_next(&mut queue),
        Some(key("a", 50)),
        "and stays urgent"
    );
}

#[test]
fn namespaces_take_turns_however_many_profiles_one_has() {
    for urgency in [Urgency::Change, Urgency::Retry, Urgency::Recheck] {
        let mut queue = queue(2);
        for number in 0..1500 {
            push(&mut queue, &key("many", number), entry(urgency, "g"));
        }
        for round in 0..5 {
            push(&mut queue, &key("few", round), entry(urgency, "g"));
            let mut before = 0;
            loop {
                let profile = start_next(&mut queue).expect("one waits");
                queue.end(&profile);
                if profile.namespace == "few" {
                    break;
                }
                push(&mut queue, &profile, entry(urgency, "g"));
                before += 1;
            }
            assert!(before <= 1, "{urgency:?}: {before} went before");
        }
    }
}

#[test]
fn calls_that_hang_in_one_group_leave_places_to_others() {
    let mut queue = queue(8);
    for number in 0..60 {
        push(
            &mut queue,
            &key("a", number),
            entry(Urgency::Change, "hangs"),
        );
    }
    assert_eq!(started(&mut queue).len(), 4);
    for number in 0..60 {
        push(
            &mut queue,
            &key("b", number),
            entry(Urgency::Change, "HANGS"),
        );
        push(
            &mut queue,
            &key("c", number),
            entry(Urgency::Change, "hangs-too"),
        );
    }
    assert_eq!(
        started(&mut queue).len(),
        2,
        "a quarter stays free for other subscriptions"
    );
    let elsewhere = QueueEntry {
        place: Some(AzurePlace::new("s2", "hangs")),
        ..entry(Urgency::Change, "g")
    };
    push(&mut queue, &key("d", 0), elsewhere);
    let without_calls = QueueEntry {
        place: None,
        ..entry(Urgency::Change, "g")
    };
    push(&mut queue, &key("d", 1), without_calls);
    assert_eq!(started(&mut queue), [key("d", 0), key("d", 1)]);
}

#[test]
fn one_place_is_enough_to_get_through_all() {
    let mut queue = queue(0);
    push(&mut queue, &key("a", 0), entry(Urgency::Recheck, "g"));
    push(&mut queue, &key("a", 1), entry(Urgency::Change, "g"));
    for number in [1, 0] {
        assert_eq!(started(&mut queue), [key("a", number)]);
        queue.end(&key("a", number));
    }
    assert!(queue.is_empty());
}

#[test]
fn the_place_of_a_profile_is_the_group_of_its_identity() {
    let id = ArmId::new("/subscriptions/S/resourcegroups/Ids/providers/x/y/z");
    assert_eq!(AzurePlace::of(&id), Some(AzurePlace::new("s", "ids")));
    assert_eq!(AzurePlace::of(&ArmId::new("/subscriptions/s")), None);
}

/// Spends what a started profile calls.
fn call(budget: &mut ArmBudget, subscription: &str, entry: &QueueEntry, now: Moment) {
    let expected = entry.expected();
    let calls = [
        (RequestKind::Read, expected.reads),
        (
            RequestKind::Write,
            expected.writes - expected.identity_writes,
        ),
        (RequestKind::IdentityWrite, expected.identity_writes),
    ];
    for (kind, count) in calls {
        for _ in 0..count {
            let taken = budget.take(Some(subscription), kind, entry.urgency.priority(), now);
            assert_eq!(taken, Ok(()), "{kind:?} of {entry:?}");
        }
    }
}

#[test]
fn what_is_read_by_itself_keeps_within_the_reads_of_its_subscription_and_keeps_nobody_waiting() {
    let (mut queue, mut budget) = (queue(256), ArmBudget::default());
    for number in 0..1500 {
        push(&mut queue, &key("a", number), entry(Urgency::Reread, "g"));
    }
    let (mut now, mut looks) = (Moment::default(), 0);
    while !queue.is_empty() {
        while let Some(profile) = queue.start_next(now, &budget) {
            // Nothing that was started is held back.
            call(&mut budget, "s", &entry(Urgency::Reread, "g"), now);
            queue.end(&profile);
            looks += 1;
        }
        push(&mut queue, &key("b", 0), entry(Urgency::Change, "g"));
        assert_eq!(queue.start_next(now, &budget), Some(key("b", 0)));
        queue.end(&key("b", 0));
        now = now + queue.next_start(now, &budget).unwrap_or_default();
    }
    assert_eq!(looks, 1500);
    assert!(now.since_start() <= Duration::from_secs(600), "{now}");
}

#[test]
fn what_was_started_has_room_for_its_calls_however_many_start_together() {
    for (urgency, work) in [
        (Urgency::Change, ProfileWork::Creation),
        (Urgency::Change, ProfileWork::Update),
        (Urgency::Retry, ProfileWork::Update),
        (Urgency::Reread, ProfileWork::Update),
    ] {
        let (mut queue, mut budget) = (queue(256), ArmBudget::default());
        let entry = QueueEntry {
            work,
            ..entry(urgency, "g")
        };
        for number in 0..300 {
            push(&mut queue, &key("a", number), entry.clone());
        }
        let (mut now, mut all) = (Moment::default(), 0);
        while !queue.is_empty() {
            let started: Vec<_> = std::iter::from_fn(|| queue.start_next(now, &budget)).collect();
            for profile in started {
                call(&mut budget, "s", &entry, now);
                queue.end(&profile);
                all += 1;
            }
            now = now + queue.next_start(now, &budget).unwrap_or_default();
        }
        assert_eq!(all, 300, "{urgency:?} {work:?}");
    }
}

#[test]
fn while_azure_makes_no_more_identities_other_changes_go_on() {
    let (mut queue, budget) = (queue(256), ArmBudget::default());
    let creation = QueueEntry {
        work: ProfileWork::Creation,
        ..entry(Urgency::Change, "g")
    };
    for number in 0..60 {
        push(&mut queue, &key("a", number), creation.clone());
    }
    assert!(started(&mut queue).len() <= 30);
    let mut spent = budget;
    while spent
        .take(
            Some("s"),
            RequestKind::IdentityWrite,
            CallPriority::Awaited,
            LATER,
        )
        .is_ok()
    {}
    push(&mut queue, &key("b", 0), entry(Urgency::Change, "g2"));
    queue.end(&key("a", 0));
    assert_eq!(queue.start_next(LATER, &spent), Some(key("b", 0)));
    assert_eq!(queue.start_next(LATER, &spent), None);
}

#[test]
fn a_subscription_that_azure_throttles_keeps_no_other_waiting() {
    let (mut queue, mut budget) = (queue(16), ArmBudget::default());
    let asked = Duration::from_secs(60);
    let code = "SubscriptionRequestsThrottled";
    budget.refused(Some("S"), RequestKind::Read, code, Some(asked), LATER);
    for number in 0..60 {
        push(&mut queue, &key("a", number), entry(Urgency::Change, "g"));
    }
    let elsewhere = QueueEntry {
        place: Some(AzurePlace::new("s2", "g")),
        ..entry(Urgency::Recheck, "g")
    };
    push(&mut queue, &key("b", 0), elsewhere);
    assert_eq!(queue.start_next(LATER, &budget), Some(key("b", 0)));
    assert_eq!(queue.start_next(LATER, &budget), None);
    let wait = queue.next_start(LATER, &budget).expect("they wait");
    assert!(wait > asked);
    assert!(queue.start_next(LATER + wait, &budget).is_some());
}

#[test]
fn what_was_held_back_comes_again_at_its_time_and_keeps_its_urgency() {
    let mut queue = queue(16);
    let (wait, budget) = (Duration::from_secs(60), ArmBudget::default());
    for place in [Some(AzurePlace::new("s", "g")), None] {
        let held_back = QueueEntry {
            place,
            not_before: LATER + wait,
            ..entry(Urgency::Change, "g")
        };
        push(&mut queue, &key("a", 0), held_back);
        push(&mut queue, &key("a", 1), entry(Urgency::Recheck, "g"));
        assert_eq!(started(&mut queue), [key("a", 1)], "others go on");
        assert_eq!(queue.next_start(LATER, &budget), Some(wait));
        assert_eq!(queue.start_next(LATER + wait, &budget), Some(key("a", 0)));
        assert_eq!(queue.running(&key("a", 0)), Some(Urgency::Change));
        queue.end(&key("a", 0));
        queue.end(&key("a", 1));
    }
}

#[test]
fn re_checks_by_lists_need_no_more_than_the_lists() {
    let (mut queue, mut budget) = (queue(256), ArmBudget::default());
    for number in 0..1500 {
        push(&mut queue, &key("a", number), entry(Urgency::Recheck, "g"));
    }
    let now = Moment::after_start(Duration::from_secs(1));
    for _ in 0..9 {
        let list = budget.take(Some("s"), RequestKind::Read, CallPriority::Background, now);
        assert_eq!(list, Ok(()));
    }
    while let Some(profile) = queue.start_next(now, &budget) {
        queue.end(&profile);
    }
    assert!(queue.is_empty());
    let looked_at = key("a", 0);
    push(&mut queue, &looked_at, entry(Urgency::Recheck, "g"));
    push(&mut queue, &looked_at, entry(Urgency::Reread, "g"));
    assert_eq!(
        started(&mut queue),
        std::slice::from_ref(&looked_at),
        "once"
    );
    assert_eq!(queue.running(&looked_at), Some(Urgency::Reread));
}

#[test]
fn requests_go_between_and_one_profile_is_not_looked_at_without_end() {
    let mut queue = queue(64);
    for (number, urgency) in [Urgency::Recheck, Urgency::Request, Urgency::Change]
        .into_iter()
        .enumerate()
    {
        push(&mut queue, &key("a", number), entry(urgency, "g"));
    }
    assert_eq!(started(&mut queue), [key("a", 2), key("a", 1), key("a", 0)]);
    let web = key("shop", 0);
    let mut looks = 0;
    for second in 0..600 {
        let now = Moment::after_start(Duration::from_secs(second));
        let waits = queue.push(&web, entry(Urgency::Request, "g"), now);
        assert_eq!(waits.is_some(), queue.is_empty());
        looks += started(&mut queue).len();
        queue.end(&web);
    }
    assert_eq!(looks, 2 + 60, "one in ten seconds");
}

#[derive(Clone, Debug)]
enum Move {
    Push(usize, usize, Urgency, Option<(usize, usize)>),
    StartNext,
    End(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let urgency = prop_oneof![
        Just(Urgency::Change),
        Just(Urgency::Request),
        Just(Urgency::Retry),
        Just(Urgency::Reread),
        Just(Urgency::Recheck)
    ];
    let place = prop::option::of((0..2usize, 0..3usize));
    let push = (0..3usize, 0..6usize, urgency, place);
    let one = prop_oneof![
        3 => push.prop_map(|(ns, name, urgency, place)| Move::Push(ns, name, urgency, place)),
        2 => Just(Move::StartNext),
        1 => (0..32usize).prop_map(Move::End),
    ];
    vec(one, 0..120)
}

proptest! {
    #[test]
    fn every_profile_gets_its_turn_and_no_limit_is_passed(total in 0..12u16, moves in moves()) {
        let limits = QueueLimits::new(total);
        let mut queue = ReconcileQueue::new(limits);
        let mut waiting: BTreeMap<ObjectKey, Urgency> = BTreeMap::new();
        let mut running: Vec<ObjectKey> = Vec::new();
        let ends = (0..200).flat_map(|_| [Move::StartNext, Move::End(0)]);
        let (mut now, budget) = (LATER, ArmBudget::default());
        for step in moves.into_iter().chain(ends) {
            now = now + Duration::from_millis(400);
            match step {
                Move::Push(ns, name, urgency, place) => {
                    let profile = key(&format!("n{ns}"), name);
                    if running.contains(&profile) {
                        continue;
                    }
                    let place = place.map(|(s, g)| AzurePlace::new(&format!("s{s}"), &format!("g{g}")));
                    if queue.push(&profile, QueueEntry { place, ..entry(urgency, "") }, now).is_some() {
                        continue;
                    }
                    let known = waiting.entry(profile).or_insert(urgency);
                    *known = urgency.min(*known);
                }
                Move::StartNext => {
                    let Some(profile) = queue.start_next(now, &budget) else { continue };
                    prop_assert!(waiting.remove(&profile).is_some(), "it did not wait");
                    prop_assert!(queue.running(&profile).is_some());
                    running.push(profile);
                }
                Move::End(number) if !running.is_empty() => {
                    let profile = running.swap_remove(number % running.len());
                    queue.end(&profile);
                    prop_assert_eq!(queue.running(&profile), None);
                }
                Move::End(_) => {}
            }
            prop_assert!(running.len() <= usize::from(total.max(1)));
            prop_assert_eq!(queue.len(), waiting.len());
        }
        prop_assert!(waiting.is_empty(), "never started: {:?}", waiting);
    }

    #[test]
    fn no_re_check_is_started_while_a_change_could_be(
        changes in vec((0..3usize, 0..9usize), 1..9), rechecks in vec((0..3usize, 10..19usize), 1..9),
    ) {
        let mut queue = queue(64);
        let push_all = |queue: &mut ReconcileQueue, profiles: &[(usize, usize)], urgency| {
            for (ns, name) in profiles {
                push(queue, &key(&format!("n{ns}"), *name), QueueEntry { place: None, ..entry(urgency, "") });
            }
        };
        push_all(&mut queue, &rechecks, Urgency::Recheck);
        push_all(&mut queue, &changes, Urgency::Change);
        let different: BTreeSet<_> = changes.iter().collect();
        let order = started(&mut queue);
        let is_change = |profile: &ObjectKey| profile.name.len() == 2;
        prop_assert!(order.iter().take(different.len()).all(is_change));
        prop_assert!(!order.iter().skip(different.len()).any(is_change));
    }
}

#[test]
fn a_profile_that_is_to_be_looked_at_again_while_it_runs_starts_when_that_has_ended() {
    let (mut queue, profile) = (queue(8), key("ns", 0));
    push(&mut queue, &profile, entry(Urgency::Change, "g"));
    assert_eq!(start_next(&mut queue), Some(profile.clone()));
    push(&mut queue, &profile, entry(Urgency::Change, "g"));
    assert_eq!(start_next(&mut queue), None);
    queue.end(&profile);
    assert_eq!(start_next(&mut queue), Some(profile));
}
