//! Identities that were deleted in Azure and made again under the same id: the machine has to let go
//! of the one of before and take the new one up.

use std::collections::{BTreeMap, BTreeSet};

use podid_azure::ComputeIdentity;
use podid_core::arm::ArmId;
use podid_core::assigned_identity::AssignmentFailure;
use podid_core::target::recreated;

use super::{Machine, carried_by};
use crate::assignment::failure::{Failure, Outlook};

impl Machine {
    /// What a machine carries, without what is recreated on it.
    pub(super) fn present(&self, machine: &ComputeIdentity) -> BTreeSet<ArmId> {
        &carried_by(machine) - &self.recreated(machine)
    }

    /// What we put on a machine and was made anew since.
    pub(super) fn recreated(&self, machine: &ComputeIdentity) -> BTreeSet<ArmId> {
        let (expected, ledger) = (&self.client_ids, &self.ledger);
        recreated(expected, &shown_by(machine), ledger, &self.immutable)
    }

    /// Takes stock of what was put on again: where the machine still shows another client id than is
    /// expected, trying without a pause would not help.
    pub(super) fn renewed(&mut self, after: &ComputeIdentity) {
        let renewing = std::mem::take(&mut self.renewing);
        let (present, recreated) = (self.present(after), self.recreated(after));
        self.quarantine
            .retain(|id| !renewing.contains(id) || !present.contains(id));
        let shown = shown_by(after);
        for identity in &renewing & &recreated {
            let failure = self.still_outdated(&identity, &shown);
            let cause = &failure.cause.message;
            tracing::warn!(machine = %self.target, %identity, cause, "put on again in vain");
            self.quarantine.hold(&identity, failure);
        }
    }

    fn still_outdated(&self, identity: &ArmId, shown: &BTreeMap<ArmId, String>) -> Failure {
        let of = |client_ids: &BTreeMap<ArmId, String>| {
            client_ids.get(identity).cloned().unwrap_or_default()
        };
        let (expected, shown) = (of(&self.client_ids), of(shown));
        Failure {
            cause: AssignmentFailure {
                reason: "OldClientId".to_owned(),
                message: format!(
                    "have the AzureIdentity name the client id that the identity has in Azure (a \
                     profile does so when its reconciliation is requested): the machine shows \
                     {shown} for {identity}, also after it was put on again, and the AzureIdentity \
                     says {expected}"
                ),
            },
            // Azure may only be slow to show the new one.
            outlook: Outlook::Doubtful,
        }
    }
}

fn shown_by(machine: &ComputeIdentity) -> BTreeMap<ArmId, String> {
    let shown = machine.client_ids.iter();
    shown
        .map(|(id, client_id)| (ArmId::new(id.to_string()), client_id.clone()))
        .collect()
}
