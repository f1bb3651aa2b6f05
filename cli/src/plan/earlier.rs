//! What a version of the files is compared with: an earlier version, or a cluster.

use std::collections::BTreeSet;

use super::declared::Declared;

/// What is compared with.
#[derive(Clone, Debug)]
pub(super) struct Earlier {
    pub(super) declared: Declared,
    /// What it is called.
    pub(super) name: String,
    /// Whether it is a cluster, where the status of a profile records what was made.
    pub(super) is_cluster: bool,
    /// Profiles, as namespace and name, that stay though the new version does not have them.
    pub(super) stay: BTreeSet<(String, String)>,
}

impl Earlier {
    /// A version of files.
    pub(super) fn of_files(declared: Declared, name: &str) -> Self {
        Self {
            declared,
            name: name.to_owned(),
            is_cluster: false,
            stay: BTreeSet::new(),
        }
    }
}
