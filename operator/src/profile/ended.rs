//! Profiles whose deletion has come to its end.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::reflector::Store;
use podid_crds::podid::PodIdentityProfile;

/// Profiles that need no shared role any more, by uid, until they are gone. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct EndedProfiles(Arc<Mutex<BTreeSet<String>>>);

impl EndedProfiles {
    /// Notes that a profile has ended, and returns all that have not.
    pub(super) fn end(
        &self,
        profile: &PodIdentityProfile,
        profiles: &Store<PodIdentityProfile>,
    ) -> Vec<Arc<PodIdentityProfile>> {
        let mut ended = self.lock();
        let mut all = profiles.state();
        ended.retain(|known| all.iter().any(|there| uid(there) == *known));
        ended.insert(uid(profile));
        all.retain(|other| !ended.contains(&uid(other)));
        all
    }

    /// The profiles that have not ended.
    pub(super) fn others(
        &self,
        profiles: &Store<PodIdentityProfile>,
    ) -> Vec<Arc<PodIdentityProfile>> {
        let ended = self.lock();
        let mut all = profiles.state();
        all.retain(|other| !ended.contains(&uid(other)));
        all
    }

    /// Nothing here can panic while the lock is held, so a poisoned state is still a true one.
    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn uid(profile: &PodIdentityProfile) -> String {
    profile.uid().unwrap_or_default()
}
