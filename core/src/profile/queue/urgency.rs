//! Whether somebody waits for the reconciliation of a profile.

use serde::Serialize;

use crate::arm_budget::CallPriority;

/// Why a profile is to be reconciled; the more urgent is the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Urgency {
    /// A person has made, changed or deleted it, and podid has not looked since.
    Change,
    /// A person has requested a look at it.
    Request,
    /// It is not ready, and another try is due, or something around it has changed.
    Retry,
    /// It is ready, and what is listed for all profiles shows something else than it should be, or cannot be
    /// had: it is read by itself.
    Reread,
    /// It is ready, and its interval is over, or something around it has changed: it is compared with what is
    /// listed for all profiles.
    Recheck,
}

impl Urgency {
    /// Whether somebody waits for the calls.
    #[must_use]
    pub fn priority(self) -> CallPriority {
        match self {
            Self::Change | Self::Request => CallPriority::Awaited,
            Self::Retry | Self::Reread | Self::Recheck => CallPriority::Background,
        }
    }
}

/// Which version of a profile there is, and which one its status is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ProfileVersions<'a> {
    /// Whether it is being deleted.
    pub is_deleted: bool,
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// Whether `Ready` is true.
    pub is_ready: bool,
    /// `status.observedGeneration`.
    pub observed: Option<i64>,
    /// Annotation `reconcile.fluxcd.io/requestedAt`.
    pub requested: Option<&'a str>,
    /// `status.lastHandledReconcileAt`.
    pub handled: Option<&'a str>,
}

impl ProfileVersions<'_> {
    /// How urgent it is: whether a person waits for it, or it is looked at only to be sure.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        let is_requested = self.requested.is_some() && self.requested != self.handled;
        if self.is_deleted || self.generation != self.observed {
            Urgency::Change
        } else if is_requested {
            Urgency::Request
        } else if !self.is_ready {
            Urgency::Retry
        } else {
            Urgency::Recheck
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_status_does_not_know_yet_is_urgent() {
        let known = ProfileVersions {
            is_deleted: false,
            is_ready: true,
            generation: Some(2),
            observed: Some(2),
            requested: Some("t1"),
            handled: Some("t1"),
        };
        let removed = ProfileVersions {
            requested: None,
            ..known
        };
        for versions in [known, removed] {
            assert_eq!(versions.urgency(), Urgency::Recheck, "{versions:?}");
        }
        let retried = ProfileVersions {
            is_ready: false,
            ..known
        };
        assert_eq!(retried.urgency(), Urgency::Retry);
        let changes = [
            ProfileVersions {
                is_deleted: true,
                ..known
            },
            ProfileVersions {
                observed: None,
                ..known
            },
            ProfileVersions {
                generation: Some(3),
                ..known
            },
            ProfileVersions {
                generation: Some(3),
                requested: Some("t2"),
                ..known
            },
        ];
        for versions in changes {
            assert_eq!(versions.urgency(), Urgency::Change, "{versions:?}");
        }
        let requests = [
            ProfileVersions {
                requested: Some("t2"),
                ..known
            },
            ProfileVersions {
                handled: None,
                ..known
            },
        ];
        for versions in requests {
            assert_eq!(versions.urgency(), Urgency::Request, "{versions:?}");
        }
    }
}
