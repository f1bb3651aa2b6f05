use proptest::prelude::*;

use super::*;
use crate::backoff::Jitter;
use crate::moment::Moment;

const DAY: u64 = 86_400;
const UNIX: u64 = 1_800_000_000;

/// A reading this many seconds after the start by the one clock, and after [`UNIX`] by the other.
fn at(now: u64, unix: u64) -> ClockReading {
    ClockReading {
        now: Moment::after_start(Duration::from_secs(now)),
        unix: UNIX + unix,
    }
}

/// Obtained at the start, for this many seconds by both clocks.
fn token(seconds: u64) -> TokenLifetime {
    let stated = StatedLifetime {
        expires_in: seconds,
        expires_on: UNIX + seconds,
    };
    TokenLifetime::new(stated, at(0, 0))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_token_ends_when_the_first_clock_says_so() {
    let day = token(DAY);
    for (now, unix, left) in [
        (0, 0, DAY),
        (100, 100, DAY - 100),
        (100, 0, DAY - 100),
        (0, 100, DAY - 100),
        (DAY, 0, 0),
        (0, DAY, 0),
        (DAY + 1, 10 * DAY, 0),
    ] {
        assert_eq!(day.left(at(now, unix)), seconds(left), "{now} {unix}");
    }
}

#[test]
fn odd_lifetimes_are_never_longer_than_a_day_and_overflow_nothing() {
    for (expires_in, expires_on, left) in [
        (0, u64::MAX, 0),
        (u64::MAX, 0, 0),
        (u64::MAX, u64::MAX, DAY),
        (DAY, UNIX - 1, 0),
        (60, UNIX + DAY, 60),
    ] {
        let stated = StatedLifetime {
            expires_in,
            expires_on,
        };
        let lifetime = TokenLifetime::new(stated, at(0, 0));
        assert_eq!(lifetime.left(at(0, 0)), seconds(left), "{stated:?}");
    }
}

#[test]
fn what_is_expiring_already_or_large_is_not_kept() {
    for (life, size, kept) in [
        (DAY, 1500, true),
        (60, 1500, false),
        (300, 1500, false),
        (301, 1500, true),
        (0, 1500, false),
        (DAY, TOKEN_SIZE_MAX, true),
        (DAY, TOKEN_SIZE_MAX + 1, false),
    ] {
        let worth = is_worth_keeping(&token(life), at(0, 0), size);
        assert_eq!(worth, kept, "{life} {size}");
    }
}

#[test]
fn a_request_is_answered_with_what_is_kept_as_long_as_that_is_right() {
    let day = token(DAY);
    let failed = |ago| Some(Moment::after_start(seconds(DAY - 100 - ago)));
    let expiring = at(DAY - 100, DAY - 100);
    for (kept, bypass, failed, at, expected) in [
        (None, false, None, at(0, 0), TokenUse::Ask),
        (Some(&day), false, None, at(0, 0), TokenUse::Kept),
        (Some(&day), true, None, at(0, 0), TokenUse::Ask),
        (Some(&day), false, None, expiring, TokenUse::Renew),
        (Some(&day), false, failed(9), expiring, TokenUse::Kept),
        (Some(&day), false, failed(10), expiring, TokenUse::Renew),
        (Some(&day), true, failed(1), expiring, TokenUse::Ask),
        (Some(&day), false, None, at(DAY, 0), TokenUse::Ask),
        (Some(&day), false, None, at(0, DAY), TokenUse::Ask),
    ] {
        let decided = token_use(kept, bypass, failed, at);
        assert_eq!(decided, expected, "{kept:?} {bypass} {failed:?} {at:?}");
    }
}

#[test]
fn a_refresh_is_due_well_before_the_end_and_adds_few_calls() {
    for (life, earliest, latest) in [
        // Half an hour to an hour before the end of a day.
        (DAY, DAY - 3_900, DAY - 1_900),
        (3_600, 3_600 - 720, 3_600 - 360),
        // Never before half of the life.
        (400, 200, 200),
        (0, 0, 0),
    ] {
        for jitter in [0.0, 0.3, 1.0] {
            let refresh = Refresh::of(&token(life), Jitter::new(jitter));
            let due = refresh.due().since_start();
            assert!(
                (seconds(earliest)..=seconds(latest)).contains(&due),
                "{life} {jitter}: {due:?}"
            );
        }
    }
    let soonest = Refresh::of(&token(DAY), Jitter::new(1.0)).due();
    let calls = seconds(DAY).as_secs_f64() / soonest.since_start().as_secs_f64();
    assert!(calls < 1.05, "{calls} calls for each life");
}

#[test]
fn failed_refreshes_are_repeated_with_growing_pauses_and_without_end() {
    let mut refresh = Refresh::of(&token(DAY), Jitter::NONE);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let now = refresh.due();
        refresh = refresh.after_failure(now, Jitter::new(1.0));
        assert_eq!(refresh.failed(), Some(now));
        pauses.push(refresh.due().saturating_duration_since(now).as_secs());
    }
    assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300, 300]);
}

fn used(used: &UsedResources<u32>, identity: u32) -> Vec<&str> {
    used.of(&identity).collect()
}

#[test]
fn the_resources_that_were_used_last_are_remembered_by_identity() {
    let mut resources = UsedResources::default();
    for resource in ["a", "b", "a"] {
        resources.note(1, resource);
    }
    resources.note(2, "c");
    resources.note(2, &"x".repeat(RESOURCE_SIZE_MAX + 1));
    assert_eq!(used(&resources, 1), ["b", "a"]);
    assert_eq!(used(&resources, 2), ["c"]);
    assert_eq!(used(&resources, 3), [""; 0]);
    for number in 0..100_000 {
        resources.note(2, &number.to_string());
    }
    assert_eq!(used(&resources, 2).len(), RESOURCES_MAX);
    assert_eq!(used(&resources, 2).last(), Some(&"99999"));
    for identity in 0..10_000 {
        resources.note(100 + identity, "r");
    }
    let known = (0..20_000).filter(|identity| !used(&resources, *identity).is_empty());
    assert_eq!(known.count(), IDENTITIES_MAX);
}

proptest! {
    /// Whatever the clocks do, no request is answered with a token that has ended by either of them.
    #[test]
    fn no_ended_token_is_used(
        expires_in in prop_oneof![0..2 * DAY, any::<u64>()],
        expires_on in prop_oneof![UNIX..UNIX + 2 * DAY, any::<u64>()],
        asked in 0..DAY,
        now in 0..3 * DAY,
        unix in any::<u32>(),
        failed in proptest::option::of(0..3 * DAY),
        bypass: bool,
    ) {
        let lifetime = TokenLifetime::new(StatedLifetime { expires_in, expires_on }, at(asked, 0));
        let at = ClockReading { now: Moment::after_start(seconds(now)), unix: u64::from(unix) };
        let failed = failed.map(|failed| Moment::after_start(seconds(failed)));
        let decided = token_use(Some(&lifetime), bypass, failed, at);
        if decided != TokenUse::Ask {
            prop_assert!(at.unix < expires_on);
            prop_assert!(now < asked.saturating_add(expires_in).min(asked + DAY));
            prop_assert!(!bypass);
        }
        prop_assert!(lifetime.left(at) <= KEPT_MAX);
    }

    /// A clock that is set back or forth in between changes nothing once it is right again.
    #[test]
    fn time_only_shortens_a_life(life in 0..DAY, first in 0..DAY, later in 0..DAY, jump in 0..2 * DAY) {
        let token = token(life);
        let before = token.left(at(first, first));
        let _jumped = token.left(at(first, jump));
        let after = token.left(at(first + later, first + later));
        prop_assert_eq!(after, before.saturating_sub(seconds(later)));
    }

    /// Every refresh lies within the life of its token, in the second half.
    #[test]
    fn a_refresh_is_due_while_the_token_is_alive(life in 0..2 * DAY, jitter in 0.0..=1.0f64) {
        let due = Refresh::of(&token(life), Jitter::new(jitter)).due().since_start();
        let life = seconds(life).min(KEPT_MAX);
        prop_assert!(due <= life && due >= life / 2);
    }
}
