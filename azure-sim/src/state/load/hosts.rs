//! Machines and scale sets of a world, with the identities on them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::wrong;
use crate::faults::Outcome;
use crate::state::ids::{MACHINES, ResourceId, SCALE_SETS, named};
use crate::state::{Attached, Host, HostKind, Identity, IdentityBlock, State, SystemIdentity};
use crate::world::{Orchestration, ScaleSet, VirtualMachine, VmIdentity, WorldError};

impl State {
    pub(super) fn add_scale_set(
        &mut self,
        set: &ScaleSet,
        default: &str,
    ) -> Result<(), WorldError> {
        let (id, location) = self.locate(&set.place, default, SCALE_SETS, &set.name)?;
        let name = &set.name;
        if set.orchestration == Orchestration::Flexible && !set.instances.is_empty() {
            return Err(wrong(format!(
                "the flexible scale set `{name}` has instances; give it virtualMachines"
            )));
        }
        let mut instances = set.instances.clone();
        let mut seen = BTreeSet::new();
        for (n, instance) in instances.iter_mut().enumerate() {
            if instance.id.is_empty() {
                instance.id = n.to_string();
            }
            let number = instance.id.clone();
            let digits = number.chars().all(|c| c.is_ascii_digit());
            if !digits || !seen.insert(number) {
                return Err(wrong(format!(
                    "instance `{}` of the scale set `{name}` is no number of its own",
                    instance.id
                )));
            }
        }
        let kind = HostKind::ScaleSet {
            orchestration: set.orchestration,
            instances,
        };
        self.add_host(id, kind, location, (&set.tags, &set.identity), default)
    }

    pub(super) fn add_machine(
        &mut self,
        vm: &VirtualMachine,
        default: &str,
    ) -> Result<(), WorldError> {
        let (id, location) = self.locate(&vm.place, default, MACHINES, &vm.name)?;
        let scale_set = vm
            .scale_set
            .as_ref()
            .map(|name| ResourceId::new(&id.subscription, &id.group, SCALE_SETS, name).key());
        if let Some(set) = &scale_set
            && !self.hosts.contains_key(set)
        {
            return Err(wrong(format!(
                "machine `{}` is in a scale set that is not there",
                vm.name
            )));
        }
        let kind = HostKind::Machine {
            computer_name: vm
                .computer_name
                .clone()
                .unwrap_or_else(|| vm.name.to_lowercase()),
            private_ip: vm.private_ip.clone(),
            scale_set,
        };
        self.add_host(id, kind, location, (&vm.tags, &vm.identity), default)
    }

    fn add_host(
        &mut self,
        id: ResourceId,
        kind: HostKind,
        location: String,
        (tags, identity): (&BTreeMap<String, String>, &VmIdentity),
        default: &str,
    ) -> Result<(), WorldError> {
        let before = self.hosts.get(&id.key()).cloned();
        let mut block = before.as_ref().map(|b| b.block.clone()).unwrap_or_default();
        self.attach(&mut block, &id, identity, default)?;
        let host = Host {
            unique_id: named("host", &id.path()),
            kind,
            location,
            tags: tags.clone(),
            block,
            version: before.as_ref().map_or(1, |b| b.version + 1),
            running: before.and_then(|b| b.running),
            last: Outcome::Succeeded,
            id,
        };
        self.hosts.insert(host.id.key(), host);
        Ok(())
    }

    fn attach(
        &self,
        block: &mut IdentityBlock,
        host: &ResourceId,
        identity: &VmIdentity,
        default: &str,
    ) -> Result<(), WorldError> {
        if identity.system_assigned && block.system.is_none() {
            block.system = Some(SystemIdentity {
                principal_id: named("principal", &host.path()),
                client_id: named("client", &host.path()),
            });
        }
        for reference in &identity.user_assigned {
            let found = self.identity_called(reference, default).ok_or_else(|| {
                wrong(format!(
                    "`{}` holds the identity `{reference}`, which is not there",
                    host.name
                ))
            })?;
            block.users.insert(found.id.key(), Attached::settled(found));
        }
        Ok(())
    }
}

impl Attached {
    /// An identity whose assignment has long been settled.
    fn settled(identity: &Identity) -> Self {
        Self {
            id: identity.id.path(),
            client_id: identity.client_id.clone(),
            principal_id: identity.principal_id.clone(),
            active: true,
            since: Instant::now(),
        }
    }
}
