//! VMs and scale sets of a seed, with the identities on them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::faults::Outcome;
use crate::ids::{ResourceId, SCALE_SETS, VIRTUAL_MACHINES, stable_guid};
use crate::resources::{
    AssignedIdentity, ComputeKind, ComputeResource, Identity, IdentityBlock, SystemIdentity,
};
use crate::seed::{Instance, Orchestration, ScaleSet, SeedError, VirtualMachine, VmIdentity};
use crate::state::State;

impl State {
    pub(super) fn add_scale_set(&mut self, set: &ScaleSet, default: &str) -> Result<(), SeedError> {
        let (id, location) = self.locate(&set.place, default, SCALE_SETS, &set.name)?;
        if set.orchestration == Orchestration::Flexible && !set.instances.is_empty() {
            return Err(SeedError::inconsistent(format!(
                "the flexible scale set `{}` has instances; give it virtualMachines",
                set.name
            )));
        }
        let kind = ComputeKind::ScaleSet {
            orchestration: set.orchestration,
            instances: numbered(set)?,
        };
        self.add_compute(id, kind, location, (&set.tags, &set.identity), default)
    }

    pub(super) fn add_virtual_machine(
        &mut self,
        vm: &VirtualMachine,
        default: &str,
    ) -> Result<(), SeedError> {
        let (id, location) = self.locate(&vm.place, default, VIRTUAL_MACHINES, &vm.name)?;
        let scale_set = vm
            .scale_set
            .as_ref()
            .map(|name| ResourceId::new(&id.subscription, &id.group, SCALE_SETS, name).key());
        if let Some(set) = &scale_set
            && !self.compute.contains_key(set)
        {
            return Err(SeedError::inconsistent(format!(
                "the VM `{}` is in a scale set that does not exist",
                vm.name
            )));
        }
        let kind = ComputeKind::VirtualMachine {
            computer_name: vm
                .computer_name
                .clone()
                .unwrap_or_else(|| vm.name.to_lowercase()),
            private_ip: vm.private_ip.clone(),
            scale_set,
        };
        self.add_compute(id, kind, location, (&vm.tags, &vm.identity), default)
    }

    fn add_compute(
        &mut self,
        id: ResourceId,
        kind: ComputeKind,
        location: String,
        (tags, given): (&BTreeMap<String, String>, &VmIdentity),
        default: &str,
    ) -> Result<(), SeedError> {
        let before = self.compute.get(&id.key()).cloned();
        let mut identity = before
            .as_ref()
            .map(|b| b.identity.clone())
            .unwrap_or_default();
        self.assign(&mut identity, &id, given, default)?;
        let compute = ComputeResource {
            unique_id: stable_guid("host", &id.path()),
            kind,
            location,
            tags: tags.clone(),
            identity,
            version: before.as_ref().map_or(1, |b| b.version + 1),
            running_operation: before.and_then(|b| b.running_operation),
            last_outcome: Outcome::Succeeded,
            id,
        };
        self.compute.insert(compute.id.key(), compute);
        Ok(())
    }

    fn assign(
        &self,
        block: &mut IdentityBlock,
        compute: &ResourceId,
        given: &VmIdentity,
        default: &str,
    ) -> Result<(), SeedError> {
        if given.system_assigned && block.system_assigned.is_none() {
            block.system_assigned = Some(SystemIdentity {
                principal_id: stable_guid("principal", &compute.path()),
                client_id: stable_guid("client", &compute.path()),
            });
        }
        for reference in &given.user_assigned {
            let found = self.identity_called(reference, default).ok_or_else(|| {
                SeedError::inconsistent(format!(
                    "`{}` has the identity `{reference}`, which does not exist",
                    compute.name
                ))
            })?;
            block.user_assigned.insert(found.id.key(), active(found));
        }
        Ok(())
    }
}

/// The instances of a scale set. One without an id gets its position in the list.
fn numbered(set: &ScaleSet) -> Result<Vec<Instance>, SeedError> {
    let mut instances = set.instances.clone();
    let mut seen = BTreeSet::new();
    for (n, instance) in instances.iter_mut().enumerate() {
        if instance.id.is_empty() {
            instance.id = n.to_string();
        }
        let digits = instance.id.chars().all(|c| c.is_ascii_digit());
        if !digits || !seen.insert(instance.id.clone()) {
            return Err(SeedError::inconsistent(format!(
                "instance `{}` of the scale set `{}` needs an id of digits that no other instance has",
                instance.id, set.name
            )));
        }
    }
    Ok(instances)
}

/// An identity that can be used at once: seeds start no operation.
fn active(identity: &Identity) -> AssignedIdentity {
    AssignedIdentity {
        id: identity.id.path(),
        client_id: identity.client_id.clone(),
        principal_id: identity.principal_id.clone(),
        active: true,
        active_since: Instant::now(),
    }
}
