use super::*;

fn pod(number: usize) -> ConnectionOwner {
    ConnectionOwner::Pod(format!("uid-{number}"))
}

fn unattested(number: u32) -> ConnectionOwner {
    ConnectionOwner::Unattested(Ipv4Addr::from(0x0af4_0000 + number))
}

/// As many connections as the owner can open one after the other; those that had to end for it are
/// among them.
fn open(limits: &ConnectionLimits, owner: &ConnectionOwner, count: usize) -> Vec<AcquiredSlot> {
    (0..count)
        .filter_map(|_| limits.acquire(owner.clone()))
        .collect()
}

fn is_ended(taken: &mut AcquiredSlot) -> bool {
    taken.ended.try_recv() == Err(oneshot::error::TryRecvError::Closed)
}

fn alive(taken: &mut [AcquiredSlot]) -> usize {
    taken
        .iter_mut()
        .filter_map(|one| (!is_ended(one)).then_some(()))
        .count()
}

#[test]
fn a_pod_that_has_all_it_may_have_ends_its_own_idle_connections() {
    let limits = ConnectionLimits::default();
    let mut other = open(&limits, &pod(2), 1);
    let mut greedy = open(&limits, &pod(1), 400);
    assert_eq!((greedy.len(), alive(&mut greedy)), (400, ATTESTED.most));
    assert!(is_ended(&mut greedy[0]) && !is_ended(&mut greedy[399]));
    assert_eq!(alive(&mut other), 1, "somebody else's stays");
}

#[test]
fn a_request_that_is_being_answered_is_not_ended() {
    let limits = ConnectionLimits::default();
    let mut greedy = open(&limits, &pod(1), ATTESTED.most);
    for taken in &greedy {
        taken.slot.set_idle(false);
    }
    assert!(limits.acquire(pod(1)).is_none());
    greedy[7].slot.set_idle(true);
    let last = limits.acquire(pod(1));
    assert!(last.is_some_and(|last| last.made_room));
    assert!(is_ended(&mut greedy[7]));
    assert_eq!(alive(&mut greedy), ATTESTED.most - 1);
}

#[test]
fn every_pod_has_its_reserved_places_whatever_others_do() {
    let limits = ConnectionLimits::default();
    let greedy: Vec<AcquiredSlot> = (0..17)
        .flat_map(|number| open(&limits, &pod(number), 256))
        .collect();
    for taken in &greedy {
        taken.slot.set_idle(false);
    }
    let victim = open(&limits, &pod(99), 100);
    assert_eq!(victim.len(), 100, "it ends its own idle ones");
    assert!(
        victim
            .iter()
            .take(ATTESTED.reserved)
            .all(|one| !one.made_room)
    );
    for taken in &victim {
        taken.slot.set_idle(false);
    }
    assert!(limits.acquire(pod(99)).is_none(), "all are busy");
}

#[test]
fn the_shared_places_come_to_be_shared_evenly() {
    let limits = ConnectionLimits::default();
    let mut greedy: Vec<AcquiredSlot> = (0..6)
        .flat_map(|number| open(&limits, &pod(number), 256))
        .collect();
    let before = alive(&mut greedy);
    let mut modest = open(&limits, &pod(99), 40);
    assert_eq!((modest.len(), alive(&mut modest)), (40, 40));
    let all = limits.connections().shared(&pod(0));
    assert!(all <= ATTESTED.shared, "{all}");
    assert!(alive(&mut greedy) < before);
}

#[test]
fn all_connections_together_are_bounded() {
    let limits = ConnectionLimits::default();
    let pods = 30;
    let mut everybody: Vec<AcquiredSlot> = (0..pods)
        .flat_map(|number| open(&limits, &pod(number), 200))
        .collect();
    let bound = pods * ATTESTED.reserved + ATTESTED.shared;
    assert_eq!(alive(&mut everybody), bound);
}

#[test]
fn invented_addresses_take_nothing_from_attested_pods_nor_from_each_other() {
    let limits = ConnectionLimits::default();
    let mut unattested_callers: Vec<AcquiredSlot> = (0..1000)
        .flat_map(|number| open(&limits, &unattested(number), 8))
        .collect();
    assert_eq!(alive(&mut unattested_callers), UNATTESTED.shared);
    let mut pods: Vec<AcquiredSlot> = (0..4)
        .flat_map(|number| open(&limits, &pod(number), ATTESTED.most))
        .collect();
    assert!(alive(&mut pods) >= ATTESTED.shared);
    let honest = limits.acquire(unattested(5000));
    assert!(honest.is_some(), "an idle one of somebody's is ended");
}

#[test]
fn nothing_is_left_of_closed_connections() {
    let limits = ConnectionLimits::default();
    drop(open(&limits, &pod(1), 300));
    drop(limits.acquire(unattested(1)));
    assert!(limits.connections().open.is_empty());
}
