use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Moment {
    Moment::after_start(Duration::from_millis(millis))
}

/// All that may be sent now; each ends at once if `end`.
fn permitted(queue: &mut FairQueue<u8>, now: Moment, end: bool) -> Vec<u8> {
    let mut owners = Vec::new();
    while let Some((_, owner)) = queue.permit(now) {
        owners.push(owner);
        if end {
            queue.ended(&owner);
        }
    }
    owners
}

#[test]
fn one_that_asks_a_lot_keeps_nobody_waiting() {
    let mut queue = FairQueue::default();
    for _ in 0..100_000 {
        queue.enter(0);
    }
    assert_eq!(permitted(&mut queue, at(0), true), [0; IN_WINDOW_OF_ONE]);
    queue.enter(1);
    queue.enter(2);
    assert_eq!(permitted(&mut queue, at(1), true), [1, 2]);
}

#[test]
fn requests_that_hang_leave_room_for_others() {
    let mut queue = FairQueue::default();
    for _ in 0..10 {
        queue.enter(0);
    }
    assert_eq!(permitted(&mut queue, at(0), false), [0; AT_ONCE_OF_ONE]);
    assert_eq!(queue.next(), None, "time alone changes nothing");
    queue.enter(1);
    assert_eq!(queue.next(), Some(Moment::default()));
    assert_eq!(permitted(&mut queue, at(0), false), [1]);
}

#[test]
fn owners_take_turns_when_all_permits_are_taken() {
    let mut queue = FairQueue::default();
    for owner in [0, 0, 0, 0, 1, 1, 1, 2] {
        queue.enter(owner);
    }
    assert_eq!(permitted(&mut queue, at(0), false), [0, 1, 2, 0, 1]);
    assert_eq!((queue.under_way(), queue.waiting()), (AT_ONCE, 3));
    queue.ended(&2);
    assert_eq!(permitted(&mut queue, at(0), false), [0]);
}

#[test]
fn a_window_that_is_full_says_when_to_look_again() {
    let mut queue = FairQueue::default();
    for owner in 0..30 {
        queue.enter(owner);
    }
    assert_eq!(permitted(&mut queue, at(7), true).len(), IN_WINDOW);
    assert_eq!(queue.next(), Some(at(7) + WINDOW));
    assert_eq!(queue.permit(at(1_106)), None);
    assert_eq!(permitted(&mut queue, at(1_107), true).len(), 10);
    assert_eq!(queue.next(), None, "nobody waits");
}

#[test]
fn who_has_left_gets_no_permit() {
    let mut queue = FairQueue::default();
    let first = queue.enter(0);
    let second = queue.enter(0);
    queue.leave(first);
    assert_eq!(queue.permit(at(0)), Some((second, 0)));
    queue.leave(second);
    assert_eq!((queue.waiting(), queue.under_way()), (0, 1));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter(u8),
    Leave(usize),
    End(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u8).prop_map(Step::Enter),
        1 => any::<usize>().prop_map(Step::Leave),
        3 => any::<usize>().prop_map(Step::End),
        2 => (0..1500u64).prop_map(Step::Wait),
    ]
}

/// What was seen of a history.
#[derive(Default)]
struct Seen {
    now: u64,
    entered: Vec<(Ticket, u8)>,
    running: Vec<u8>,
    started: Vec<(u64, u8)>,
}

impl Seen {
    fn take(&mut self, queue: &mut FairQueue<u8>, step: Step) {
        match step {
            Step::Enter(owner) => self.entered.push((queue.enter(owner), owner)),
            Step::Leave(which) if !self.entered.is_empty() => {
                let (ticket, _) = self.entered.remove(which % self.entered.len());
                queue.leave(ticket);
            }
            Step::End(which) if !self.running.is_empty() => {
                let owner = self.running.remove(which % self.running.len());
                queue.ended(&owner);
            }
            Step::Wait(millis) => self.now += millis,
            Step::Leave(_) | Step::End(_) => {}
        }
    }

    fn in_window(&self, owner: Option<u8>) -> usize {
        let from = self.now.saturating_sub(1099);
        let counts = |(at, other): &&(u64, u8)| *at >= from && owner.is_none_or(|o| o == *other);
        self.started.iter().filter(counts).count()
    }
}

proptest! {
    /// No history breaks a limit, loses a request, or lets a request wait that may be sent.
    #[test]
    fn limits_hold_in_every_history(steps in proptest::collection::vec(step(), 1..300)) {
        let (mut queue, mut seen) = (FairQueue::default(), Seen::default());
        for step in steps {
            seen.take(&mut queue, step);
            while let Some((ticket, owner)) = queue.permit(at(seen.now)) {
                let place = seen.entered.iter().position(|known| *known == (ticket, owner));
                prop_assert!(place.is_some(), "given once, and to nobody who has left");
                seen.entered.remove(place.unwrap_or_default());
                seen.running.push(owner);
                seen.started.push((seen.now, owner));
                let of_one = seen.running.iter().filter(|other| **other == owner).count();
                prop_assert!(seen.running.len() <= AT_ONCE && of_one <= AT_ONCE_OF_ONE);
                prop_assert!(seen.in_window(None) <= IN_WINDOW);
                prop_assert!(seen.in_window(Some(owner)) <= IN_WINDOW_OF_ONE);
            }
            prop_assert_eq!(queue.waiting(), seen.entered.len());
            if let Some(next) = queue.next() {
                prop_assert!(next > at(seen.now));
                prop_assert!(queue.clone().permit(next).is_some(), "the time is right");
            }
        }
        for owner in std::mem::take(&mut seen.running) {
            queue.ended(&owner);
        }
        while queue.waiting() > 0 {
            let next = queue.next();
            prop_assert!(next.is_some(), "nobody waits for ever");
            let owners = permitted(&mut queue, next.unwrap_or_default().max(at(seen.now)), true);
            prop_assert!(!owners.is_empty());
        }
    }
}
