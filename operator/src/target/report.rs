//! What workers report.

use podid_core::target::{Target, TargetStatus};

/// What became known of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetReport {
    pub(crate) target: Target,
    pub(crate) status: TargetStatus,
}
