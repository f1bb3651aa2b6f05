//! Histories: events at a target, generated from a seed, and shrunk where one fails.

use std::time::Duration;

use crate::backoff::JitterSource;

/// A run of the operator with one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::target::state) struct History {
    pub(in crate::target::state) seed: u64,
    /// Whether the target has an identity of its own.
    pub(in crate::target::state) system_assigned: bool,
    /// The events, each after a wait.
    pub(in crate::target::state) steps: Vec<(Duration, Happening)>,
}

/// Identities are numbers: those that pods use, and from [`FOREIGN`] on those of others.
pub(in crate::target::state) type Name = u16;
pub(in crate::target::state) const FOREIGN: Name = 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::target::state) enum Happening {
    /// Pods or bindings came or went: these are desired, and those are kept if they are there.
    Desire(Vec<Name>, Vec<Name>),
    /// A person requests another try for the identity.
    Request(Name),
    /// The identity is refused from now on, or accepted again.
    Poison(Name, Poison),
    Cure(Name),
    /// The identity is deleted and made again under the same id.
    Recreate(Name),
    /// Somebody else changes the target, in a change that takes this long.
    Foreign {
        put: Vec<Name>,
        take: Vec<Name>,
        seconds: u64,
        /// Whether it cancels a change that is under way, and does not wait for its end.
        preempts: bool,
    },
    /// The target is being deleted, is deleted, or is made again.
    Deleting,
    Delete,
    Make,
    /// From now on changes take this long.
    Slow(u64),
    /// The next call meets this.
    Fault(Fault),
    /// The operator ends and starts again.
    Crash,
}

/// How Azure refuses a change that puts an identity on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::target::state) enum Poison {
    /// 403 `LinkedAuthorizationFailed`, naming all bad ones.
    NotAllowed,
    /// The same, naming all identities of the change.
    NotAllowedNamingAll,
    /// 400 `FailedIdentityOperation`, naming the first bad one.
    Deleted,
    /// The same as the end of a long operation, naming none.
    EndsBadly,
    /// 403 `RequestDisallowedByPolicy`, naming none.
    Policy,
    /// 404 `ResourceNotFound`, naming none.
    NotFound,
    /// 400 `BadRequest`, naming none.
    BadRequest,
}

impl Poison {
    /// Each of them.
    pub(in crate::target::state) const ALL: [Self; 7] = [
        Self::NotAllowed,
        Self::NotAllowedNamingAll,
        Self::Deleted,
        Self::EndsBadly,
        Self::Policy,
        Self::NotFound,
        Self::BadRequest,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::target::state) enum Fault {
    /// A change meets 409, with this Retry-After (0 for none).
    Conflict(u64),
    /// A change meets 412 though nobody changed anything.
    Precondition,
    /// Any call meets 429 with this Retry-After; calls before its end meet it again.
    Throttled(u64),
    /// Any call is answered with 500 and has no effect.
    Broken,
    /// Any call has its effect, and its answer is lost.
    AnswerLost,
    /// The target may not be changed: 403 `AuthorizationFailed`.
    Forbidden,
    /// A read is answered 404 by mistake.
    Missing,
    /// The operator ends before the call is sent, or as soon as it is.
    CrashBefore,
    CrashAfter,
}

impl History {
    pub(in crate::target::state) fn of(seed: u64) -> Self {
        let mut draw = Draw(JitterSource::new(seed));
        let names = if draw.below(60) == 0 { 230 } else { 6 };
        let count = 3 + draw.below(18);
        let steps = (0..count).map(|_| (draw.wait(), draw.happening(names)));
        let steps = steps.collect();
        Self {
            seed,
            system_assigned: draw.below(2) == 0,
            steps,
        }
    }

    /// Histories that are a little smaller, the smallest first.
    pub(in crate::target::state) fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        let count = self.steps.len();
        for length in [count / 2, count / 4, 1] {
            for from in (0..count).step_by(length.max(1)).filter(|_| length > 0) {
                let mut less = self.clone();
                less.steps.drain(from..(from + length).min(count));
                smaller.push(less);
            }
        }
        for index in 0..count {
            let (wait, happening) = &self.steps[index];
            for (wait, happening) in smaller_steps(*wait, happening) {
                let mut less = self.clone();
                less.steps[index] = (wait, happening);
                smaller.push(less);
            }
        }
        smaller
    }
}

fn smaller_steps(wait: Duration, happening: &Happening) -> Vec<(Duration, Happening)> {
    let mut smaller = Vec::new();
    if !wait.is_zero() {
        smaller.push((Duration::ZERO, happening.clone()));
    }
    if wait > Duration::from_secs(1) {
        smaller.push((Duration::from_secs(1), happening.clone()));
    }
    let fewer = |names: &[Name]| -> Vec<Vec<Name>> {
        let without = |index: usize| [&names[..index], &names[index + 1..]].concat();
        let halves = [names.len() / 2, names.len()].map(|to| names[to / 2..to].to_vec());
        let halves = halves.into_iter().filter(|half| half.len() < names.len());
        halves
            .chain((0..names.len().min(20)).map(without))
            .collect()
    };
    match happening {
        Happening::Desire(desired, kept) => {
            let desires = fewer(desired).into_iter();
            smaller.extend(desires.map(|less| (wait, Happening::Desire(less, kept.clone()))));
            let keeps = fewer(kept).into_iter();
            smaller.extend(keeps.map(|less| (wait, Happening::Desire(desired.clone(), less))));
        }
        Happening::Foreign {
            put,
            take,
            seconds,
            preempts,
        } => {
            let foreign = |put: Vec<Name>, take: Vec<Name>, seconds| Happening::Foreign {
                put,
                take,
                seconds,
                preempts: *preempts,
            };
            if *seconds > 0 {
                smaller.push((wait, foreign(put.clone(), take.clone(), 0)));
            }
            let puts = fewer(put).into_iter();
            smaller.extend(puts.map(|put| (wait, foreign(put, take.clone(), *seconds))));
            let takes = fewer(take).into_iter();
            smaller.extend(takes.map(|take| (wait, foreign(put.clone(), take, *seconds))));
        }
        _ => {}
    }
    smaller
}

pub(in crate::target::state) struct Draw(pub(in crate::target::state) JitterSource);

impl Draw {
    pub(in crate::target::state) fn below(&mut self, end: u64) -> u64 {
        self.0.next_bits() % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        let index = self.below(all.len() as u64);
        all[usize::try_from(index).unwrap_or_default()]
    }

    fn wait(&mut self) -> Duration {
        Duration::from_millis(
            self.one_of(&[0, 0, 50, 200, 300, 1000, 3000, 11_000, 40_000, 200_000]),
        )
    }

    fn name(&mut self, names: Name) -> Name {
        Name::try_from(self.below(u64::from(names))).unwrap_or_default()
    }

    fn some(&mut self, names: Name) -> Vec<Name> {
        let share = self.one_of(&[0, 2, 4, 6, 6, 8]);
        (0..names).filter(|_| self.below(8) < share).collect()
    }

    fn poison(&mut self) -> Poison {
        self.one_of(&Poison::ALL)
    }

    fn fault(&mut self) -> Fault {
        let seconds = self.one_of(&[0, 5, 120]);
        self.one_of(&[
            Fault::Conflict(seconds.min(5)),
            Fault::Precondition,
            Fault::Throttled(seconds.max(3)),
            Fault::Broken,
            Fault::AnswerLost,
            Fault::AnswerLost,
            Fault::Forbidden,
            Fault::Missing,
            Fault::CrashBefore,
            Fault::CrashAfter,
        ])
    }

    fn happening(&mut self, names: Name) -> Happening {
        match self.below(26) {
            0..=6 => {
                let kept = if self.below(4) == 0 {
                    self.some(names)
                } else {
                    Vec::new()
                };
                Happening::Desire(self.some(names), kept)
            }
            7..=8 => Happening::Request(self.name(names)),
            9..=11 => Happening::Poison(self.name(names), self.poison()),
            12 => Happening::Cure(self.name(names)),
            13 => Happening::Recreate(self.name(names)),
            14..=16 => self.foreign(names),
            17 => self.one_of_target(),
            18 => Happening::Slow(self.one_of(&[0, 1, 15, 60])),
            19..=24 => Happening::Fault(self.fault()),
            _ => Happening::Crash,
        }
    }

    fn one_of_target(&mut self) -> Happening {
        match self.below(6) {
            0 => Happening::Deleting,
            1 => Happening::Delete,
            _ => Happening::Make,
        }
    }

    fn foreign(&mut self, names: Name) -> Happening {
        let names_of = |draw: &mut Self| -> Vec<Name> {
            let mut some: Vec<_> = draw.some(3).iter().map(|name| FOREIGN + name).collect();
            if draw.below(3) == 0 {
                some.push(draw.name(names));
            }
            some
        };
        Happening::Foreign {
            put: names_of(self),
            take: names_of(self),
            seconds: self.one_of(&[0, 0, 2, 30]),
            preempts: self.below(4) == 0,
        }
    }
}
