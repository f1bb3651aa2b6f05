//! What one pod adds to the counts of a profile.

use std::collections::BTreeSet;

use podid_core::net_raw::Breach;
use podid_core::profile::pods::PodState;

/// One pod and one AzureIdentity, as they are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodCountEntry {
    pub(super) state: PodState,
    /// In which ways the pod breaks a rule that is only audited.
    pub(super) audited: BTreeSet<Breach>,
}
