//! Histories: what a client does with one connection, generated from a seed, and shrunk where one fails.

use std::fmt;

use podid_core::backoff::JitterSource;

use super::{grammar, mutation};

/// Most requests of one connection.
const REQUESTS: u64 = 6;
/// One request in so many is changed beyond the grammar.
const CHANGED: u64 = 3;

/// One connection.
#[derive(Clone)]
pub(super) struct History {
    pub(super) seed: u64,
    pub(super) caller: Caller,
    /// What is said, one request after the other.
    pub(super) requests: Vec<Vec<u8>>,
    /// Most bytes that are said at once; more if there were too many pieces.
    pub(super) piece: usize,
    pub(super) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A pod with one identity, beside another pod's in its namespace.
    Pod,
    /// A caller that is not attested.
    Stranger,
}

/// What the client does when it has said all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Stays,
    ClosesItsHalf,
    GoesAway,
}

impl History {
    /// The history of a seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random(JitterSource::new(seed));
        let caller = match random.below(8) {
            0 => Caller::Stranger,
            _ => Caller::Pod,
        };
        let number = 1 + random.below(REQUESTS);
        let requests = (0..number).map(|_| {
            let mut request = grammar::request(&mut random);
            if random.below(CHANGED) == 0 {
                mutation::change(&mut request, &mut random);
            }
            request
        });
        let requests = requests.collect();
        let piece = random.one_of(&[1, 7, 100, 1500, usize::MAX, usize::MAX]);
        let end = random.one_of(&[End::Stays, End::ClosesItsHalf, End::GoesAway]);
        Self {
            seed,
            caller,
            requests,
            piece,
            end,
        }
    }

    /// Histories that say less.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        for (at, request) in self.requests.iter().enumerate() {
            let mut without = self.clone();
            without.requests.remove(at);
            smaller.push(without);
            let part = request.len().div_ceil(16).max(1);
            for from in (0..request.len()).step_by(part) {
                let mut without = self.clone();
                let to = request.len().min(from + part);
                without.requests[at].drain(from..to);
                smaller.push(without);
            }
        }
        smaller
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (caller, end, piece) = (self.caller, self.end, self.piece);
        write!(f, "{caller:?} {end:?}, at most {piece} bytes at once")?;
        let mut requests = self.requests.iter();
        requests.try_for_each(|request| write!(f, "\n  {}", request.escape_ascii()))
    }
}

/// Random choices.
pub(super) struct Random(JitterSource);

impl Random {
    /// A number below this one, or 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.next_bits() % bound.max(1)
    }

    /// A place in something that long.
    pub(super) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// One of these. What is there several times is chosen so much more often.
    pub(super) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.place(choices.len())].clone()
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.0.next_bits().to_le_bytes()[0]
    }
}
