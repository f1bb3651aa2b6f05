//! What is known of a profile that is to be reconciled, and how many calls that is expected to make.

use serde::Serialize;

use super::place::AzurePlace;
use super::urgency::Urgency;
use crate::arm_budget::ExpectedRequests;
use crate::moment::Moment;

/// Reads before anything is decided: the identity, and for each of two roles its name and its assignments. Few
/// profiles have more; what these need beyond it they take as it comes.
const READS: u32 = 6;
/// Changes that are made together: an identity and two role assignments.
const CHANGES: u32 = 3;

/// What is to be done for a profile in Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ProfileWork {
    /// It has no identity yet.
    Creation,
    /// It has one, and the rest is made as it should be.
    Update,
    /// It is being deleted.
    Deletion,
}

/// What is known of a profile that is to be reconciled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueEntry {
    /// Why it is to be reconciled.
    pub urgency: Urgency,
    /// Where its calls to Azure go; `None` when there is nothing to call, or when that is not known, as of a profile that
    /// is deleted after its class.
    pub place: Option<AzurePlace>,
    /// What is to be done for it there.
    pub work: ProfileWork,
    /// When it may start at the earliest: a call for it was held back until then.
    pub not_before: Moment,
}

impl QueueEntry {
    /// The calls that are kept free for it when it starts. One that is only looked at and turns out to need a change
    /// makes it with what is free then, or comes again.
    pub(super) fn expected(&self) -> ExpectedRequests {
        let reads = match self.urgency {
            // The lists are read for many at once.
            Urgency::Recheck => 1,
            _ => READS,
        };
        let reading = ExpectedRequests {
            reads,
            ..ExpectedRequests::default()
        };
        match (self.urgency, self.work) {
            (Urgency::Recheck | Urgency::Reread, _) => reading,
            (_, ProfileWork::Creation) => ExpectedRequests {
                writes: CHANGES,
                identity_writes: 1,
                ..reading
            },
            (_, ProfileWork::Update) => ExpectedRequests {
                writes: CHANGES,
                ..reading
            },
            (_, ProfileWork::Deletion) => ExpectedRequests {
                deletes: CHANGES,
                identity_deletes: 1,
                ..reading
            },
        }
    }
}
