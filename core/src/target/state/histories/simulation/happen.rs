//! The effect of each event of a history.

use std::time::Duration;

use super::{Simulation, id, ids};
use crate::target::state::TargetEvent;
use crate::target::state::histories::azure::error;
use crate::target::state::histories::history::Happening;
use crate::target::{DesiredIdentities, TargetErrorClass};

impl Simulation {
    pub(super) fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Desire(wanted, kept) => {
                (self.wanted, self.kept) = (wanted, kept);
                self.desire()?;
            }
            Happening::Request(name) => {
                self.checks.on_request(&id(name));
                self.feed(TargetEvent::Requested(id(name)))?;
            }
            Happening::Poison(name, poison) => {
                self.azure.poisoned.insert(id(name), poison);
                self.checks.on_poison(&id(name));
            }
            Happening::Cure(name) => {
                self.azure.poisoned.remove(&id(name));
                self.checks.on_request(&id(name));
                self.feed(TargetEvent::MayBeMended(id(name)))?;
            }
            Happening::Recreate(name) => {
                *self.azure.made.entry(id(name)).or_default() += 1;
                self.checks.on_request(&id(name));
                self.checks.disturbed();
                self.desire()?;
            }
            Happening::Foreign { preempts: true, .. } if self.azure.operation.is_some() => {
                self.preempt();
                self.changes.push_back(happening);
            }
            change @ Happening::Foreign { .. } => self.changes.push_back(change),
            Happening::Deleting => self.azure.deleting = self.azure.exists,
            Happening::Delete => {
                let under_way = self
                    .azure
                    .operation
                    .as_ref()
                    .map(|operation| operation.number);
                self.azure.delete();
                self.checks.deleted();
                if let Some(number) = under_way {
                    let gone = error(TargetErrorClass::NotFound, "ResourceNotFound");
                    self.patch_ends(number, Err(gone));
                }
            }
            Happening::Make => {
                self.azure.exists = true;
                self.azure.deleting = false;
                self.checks.made(self.azure.system_assigned);
            }
            Happening::Slow(seconds) => self.azure.slowness = Duration::from_secs(seconds),
            Happening::Fault(fault) => self.faults.push_back(fault),
            Happening::Crash => self.start()?,
        }
        Ok(())
    }

    /// Sends the desired identities to the state machine.
    fn desire(&mut self) -> Result<(), String> {
        let desired = ids(&self.wanted);
        let client_ids = desired
            .iter()
            .map(|id| (id.clone(), self.azure.client_id(id)));
        self.desired = DesiredIdentities {
            client_ids: client_ids.collect(),
            kept: &ids(&self.kept) - &desired,
            desired,
        };
        match self.managed.set_desired(self.desired.clone()) {
            Some(event) => self.feed(event),
            None => Ok(()),
        }
    }

    fn preempt(&mut self) {
        if let Some(number) = self.azure.preempt() {
            let preempted = error(TargetErrorClass::Conflict, "OperationPreempted");
            self.patch_ends(number, Err(preempted));
        }
    }

    /// Begins the next change of somebody else, when no other change is under way.
    pub(super) fn change_foreign(&mut self) {
        let Some(Happening::Foreign {
            put, take, seconds, ..
        }) = self.changes.pop_front()
        else {
            return;
        };
        if self.azure.exists && !self.azure.deleting {
            let ends = self.now + Duration::from_secs(seconds);
            self.azure.change(ids(&put), ids(&take), ends);
            self.checks.disturbed();
        }
    }

    /// From now on there are no faults and no changes of others.
    pub(super) fn calm_down(&mut self) -> Result<(), String> {
        self.faults.clear();
        self.azure.poisoned.clear();
        self.azure.slowness = Duration::from_secs(1);
        if self.azure.deleting {
            self.happen(Happening::Delete)?;
        }
        Ok(())
    }
}
