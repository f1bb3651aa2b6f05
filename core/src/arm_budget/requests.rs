//! Calls to Azure Resource Manager, by the limits that they count for.

use std::iter::Sum;

use serde::Serialize;

use super::limit::Limit;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum RequestKind {
    /// It reads.
    Read,
    /// It makes or changes something other than an identity.
    Write,
    /// It deletes something other than an identity.
    Delete,
    /// It makes or changes a managed identity.
    IdentityWrite,
    /// It deletes a managed identity.
    IdentityDelete,
}

impl RequestKind {
    /// The limits that it counts for.
    pub(super) const fn limits(self) -> &'static [Limit] {
        match self {
            Self::Read => &[Limit::Reads],
            Self::Write => &[Limit::Writes],
            Self::Delete => &[Limit::Deletes],
            Self::IdentityWrite => &[Limit::Writes, Limit::IdentityWrites],
            Self::IdentityDelete => &[Limit::Deletes, Limit::IdentityDeletes],
        }
    }

    /// The one of them that is a limit of ARM itself.
    pub(super) const fn limit_of_arm(self) -> Limit {
        match self {
            Self::Read => Limit::Reads,
            Self::Write | Self::IdentityWrite => Limit::Writes,
            Self::Delete | Self::IdentityDelete => Limit::Deletes,
        }
    }
}

/// How many calls something is expected to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExpectedRequests {
    /// Reads.
    pub reads: u32,
    /// Writes, those of identities among them.
    pub writes: u32,
    /// Deletes, those of identities among them.
    pub deletes: u32,
    /// Managed identities that are made or changed.
    pub identity_writes: u32,
    /// Managed identities that are deleted.
    pub identity_deletes: u32,
}

impl ExpectedRequests {
    pub(super) const fn of(&self, limit: Limit) -> u32 {
        match limit {
            Limit::Reads => self.reads,
            Limit::Writes => self.writes,
            Limit::Deletes => self.deletes,
            Limit::IdentityWrites => self.identity_writes,
            Limit::IdentityDeletes => self.identity_deletes,
        }
    }
}

impl Sum for ExpectedRequests {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            reads: sum.reads.saturating_add(one.reads),
            writes: sum.writes.saturating_add(one.writes),
            deletes: sum.deletes.saturating_add(one.deletes),
            identity_writes: sum.identity_writes.saturating_add(one.identity_writes),
            identity_deletes: sum.identity_deletes.saturating_add(one.identity_deletes),
        })
    }
}
