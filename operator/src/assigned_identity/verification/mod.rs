//! Asks Azure to whom the managed identities belong that hand-written AzureIdentities name.

mod lookups;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use podid_azure::Identities;
use podid_core::arm::ArmId;
use podid_index::ObjectKey;
use podid_runtime::BoxError;
use podid_runtime::wait::sleep_until;
use tokio::task::JoinSet;

use super::profiles::ProfileStores;
use super::shared_index::SharedIndex;
use crate::dirty::DirtySet;
use lookups::{Lookups, ReadResult};

/// See the module.
pub(super) struct IdentityVerification {
    index: SharedIndex,
    stores: ProfileStores,
    lookups: Lookups,
    inputs: VerificationInputs,
    reads: JoinSet<ReadResult>,
}

/// What the other parts request.
#[derive(Clone, Debug, Default)]
pub(super) struct VerificationInputs {
    /// Identities that Azure has to be asked about, or need not be any more.
    pub(super) identities: DirtySet<ArmId>,
    /// Identities to read again soon, because what was read may have changed.
    pub(super) recheck: DirtySet<ArmId>,
    /// Profiles that may let others use their identities now, or not any more; `None` for all.
    pub(super) changed_owners: DirtySet<Option<ObjectKey>>,
}

impl IdentityVerification {
    pub(super) fn new(
        identities: Arc<dyn Identities>,
        interval: Duration,
        stores: ProfileStores,
        index: SharedIndex,
        inputs: VerificationInputs,
    ) -> Self {
        Self {
            lookups: Lookups::new(identities, interval),
            reads: JoinSet::new(),
            index,
            stores,
            inputs,
        }
    }

    pub(super) async fn run(mut self) -> Result<(), BoxError> {
        loop {
            while let Some(read) = self.lookups.start_next() {
                self.reads.spawn(read);
            }
            let due = self.lookups.next_due();
            tokio::select! {
                identities = self.inputs.identities.next() => self.set_needed(&identities),
                identities = self.inputs.recheck.next() => {
                    identities.iter().for_each(|identity| self.lookups.recheck(identity));
                }
                profiles = self.inputs.changed_owners.next() => self.update_owners(&profiles),
                Some(read) = self.reads.join_next() => {
                    let read = read?;
                    let identity = read.identity.clone();
                    self.lookups.record(read);
                    self.publish(&identity);
                }
                () = sleep_until(due) => {}
            }
        }
    }

    fn set_needed(&mut self, identities: &BTreeSet<ArmId>) {
        for identity in identities {
            if self.index.needs_check(identity) {
                self.lookups.want(identity);
                // One that was given up and is needed again may still be known here.
                self.publish(identity);
            } else {
                self.lookups.forget(identity);
                self.index.set_known(identity, None);
            }
        }
    }

    fn update_owners(&self, profiles: &BTreeSet<Option<ObjectKey>>) {
        let owned = match profiles.contains(&None) {
            true => self.lookups.owned(),
            false => {
                let profiles = profiles.iter().flatten();
                profiles
                    .flat_map(|profile| self.lookups.owned_by(profile))
                    .collect()
            }
        };
        for identity in owned {
            self.publish(&identity);
        }
    }

    /// Gives the index what is known of an identity, with what its owner allows now.
    fn publish(&self, identity: &ArmId) {
        let believed = self.lookups.believed(identity).cloned();
        let known =
            believed.map(|lookup| lookup.map_owner(|owner| self.stores.tagged_owner(owner)));
        self.index.set_known(identity, known);
    }
}
