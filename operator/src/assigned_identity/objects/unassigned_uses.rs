//! How many uses of an identity by a pod wait for the identity.

use std::collections::HashMap;

use podid_index::ObjectKey;

#[derive(Debug, Default)]
pub(super) struct UnassignedUses {
    by_pod: HashMap<ObjectKey, usize>,
    total: usize,
}

impl UnassignedUses {
    /// Sets how many identities one pod waits for; returns the sum over all pods.
    pub(super) fn set(&mut self, pod: &ObjectKey, open: usize) -> usize {
        let before = match open {
            0 => self.by_pod.remove(pod),
            _ => self.by_pod.insert(pod.clone(), open),
        };
        self.total = self.total + open - before.unwrap_or_default();
        self.total
    }
}
