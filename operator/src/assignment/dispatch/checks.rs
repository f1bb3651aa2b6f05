//! Looks up in Azure to whom identities belong, and acts on what people ask for by annotation.

use std::collections::BTreeSet;

use podid_core::arm::ArmId;
use podid_core::binding::IdentityLookup;

use super::{Dispatcher, Ended};
use crate::assignment::ObjectKey;
use crate::assignment::lookup::Reading;
use crate::assignment::owners::{SeenProfile, Touched};

impl Dispatcher {
    /// Takes note of a profile or class.
    pub(super) fn touched(&mut self, touched: Touched) {
        if let Touched::Profile(key, profile) = touched {
            let SeenProfile {
                recorded,
                requested,
            } = profile.unwrap_or_default();
            self.index.set_recorded(&key, recorded);
            let before = match requested.clone() {
                Some(requested) => self.requested.insert(key.clone(), requested),
                None => self.requested.remove(&key),
            };
            if requested.is_some() && requested != before {
                self.hurry(&key);
            }
        }
        for identity in self.lookups.owned() {
            self.tell(&identity);
        }
    }

    /// Starts the reads that are due.
    pub(super) fn look_up(&mut self) {
        while let Some(read) = self.lookups.start_next() {
            self.tasks.spawn(async move {
                let (identity, reading) = read.await;
                Ended::LookedUp(identity, reading)
            });
        }
    }

    /// Takes note of what was read.
    pub(super) fn looked_up(&mut self, identity: &ArmId, reading: Reading) {
        self.lookups.heard(identity, reading);
        self.tell(identity);
    }

    /// Identities came to need a check, or need none any more.
    pub(super) fn check(&mut self, identities: &BTreeSet<ArmId>) {
        for identity in identities {
            if self.index.needs_check(identity) {
                self.lookups.want(identity);
            } else {
                self.lookups.forget(identity);
                self.index.set_known(identity, None);
            }
        }
    }

    fn tell(&mut self, identity: &ArmId) {
        let known = self.lookups.reading(identity).map(|reading| match reading {
            Reading::NotYet(trouble) => IdentityLookup::NotYet(trouble.clone()),
            Reading::Absent => IdentityLookup::Absent,
            Reading::Unreadable(text) => IdentityLookup::Unreadable(text.clone()),
            Reading::Found { client_id, owner } => IdentityLookup::Found {
                client_id: client_id.clone(),
                owner: owner.clone().map(|owner| self.context.owners.judge(owner)),
            },
        });
        self.index.set_known(identity, known);
    }

    /// A person asks for a profile to be looked at: every machine that carries its identity or should
    /// is compared at once, and the identity tried again where it was refused.
    fn hurry(&mut self, profile: &ObjectKey) {
        let mut machines = BTreeSet::new();
        for pod in self.tally.pods_of(profile) {
            let Some(entry) = self.index.pod(&pod) else {
                continue;
            };
            let Some(target) = entry.target() else {
                continue;
            };
            for (assignment, _) in entry.wanted() {
                let identity = &assignment.identity;
                if identity.namespace == profile.namespace && identity.name == profile.name {
                    machines.insert((target.clone(), identity.resource_id.clone()));
                }
            }
        }
        if let Some(identity) = self.index.recorded(profile) {
            let carriers = self.targets.carriers(identity);
            machines.extend(carriers.map(|target| (target.clone(), identity.clone())));
        }
        for (target, identity) in machines {
            self.targets.request(&target, &identity);
        }
    }
}

#[cfg(test)]
mod tests;
