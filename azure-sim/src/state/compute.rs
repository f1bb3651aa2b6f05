//! Looking up VMs and instances, and ending asynchronous operations.

use std::time::Instant;

use super::State;
use crate::clock::Clock;
use crate::faults::Outcome;
use crate::ids::normalize;
use crate::resources::{ComputeKind, ComputeResource, Vm};
use crate::seed::Orchestration;

impl State {
    /// The normalized id of a VM or instance, given its id in any letter case; `None` if there is
    /// none.
    pub(crate) fn vm_id(&self, id: &str) -> Option<String> {
        let key = normalize(id);
        self.vm(&key).is_some().then_some(key)
    }

    /// A VM, or an instance of a uniform scale set, by its normalized id.
    pub(crate) fn vm(&self, key: &str) -> Option<Vm<'_>> {
        if let Some(compute) = self.compute.get(key) {
            return self.vm_of(compute);
        }
        let (set, number) = key.rsplit_once("/virtualmachines/")?;
        self.instances(self.compute.get(set)?)
            .into_iter()
            .find(|vm| vm.instance_id == Some(number))
    }

    /// The instances of a scale set: parts of a uniform one, or the VMs that belong to a flexible
    /// one. Empty for a VM.
    pub(crate) fn instances<'a>(&'a self, set: &'a ComputeResource) -> Vec<Vm<'a>> {
        let ComputeKind::ScaleSet {
            orchestration,
            instances,
        } = &set.kind
        else {
            return Vec::new();
        };
        match orchestration {
            Orchestration::Uniform => instances.iter().map(|i| Vm::of_instance(set, i)).collect(),
            Orchestration::Flexible => {
                let key = set.id.key();
                self.compute
                    .values()
                    .filter(|c| {
                        matches!(&c.kind, ComputeKind::VirtualMachine { scale_set: Some(s), .. } if *s == key)
                    })
                    .filter_map(|c| self.vm_of(c))
                    .collect()
            }
        }
    }

    /// The VM that a compute resource is; `None` for a scale set.
    fn vm_of<'a>(&'a self, compute: &'a ComputeResource) -> Option<Vm<'a>> {
        let ComputeKind::VirtualMachine {
            computer_name,
            private_ip,
            scale_set,
        } = &compute.kind
        else {
            return None;
        };
        let set = scale_set.as_ref().and_then(|s| self.compute.get(s));
        Some(Vm {
            id: compute.id.path(),
            name: compute.id.name.clone(),
            instance_id: None,
            computer_name: computer_name.clone(),
            private_ip: private_ip.as_deref(),
            unique_id: compute.unique_id.clone(),
            scale_set: set.map(|s| (s.id.path(), s.id.name.clone())),
            compute,
        })
    }

    /// Ends every asynchronous operation whose time is over. Operations have no timer of their own:
    /// each request that depends on their result calls this first.
    pub(crate) fn end_due_operations(&mut self, clock: Clock) {
        let due: Vec<_> = self
            .async_operations
            .iter()
            .filter(|(_, o)| o.ended.is_none() && clock.age(o.started_at) >= o.seconds)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.end_operation(&id, clock);
        }
    }

    /// Ends an operation. If it succeeded, its identities can be used from now on; if not, the VM
    /// or scale set gets its previous identities back.
    pub(crate) fn end_operation(&mut self, id: &str, clock: Clock) {
        let Some(operation) = self.async_operations.get_mut(id) else {
            return;
        };
        operation.ended = Some(clock.now());
        let Some(compute) = self.compute.get_mut(&operation.compute) else {
            return;
        };
        compute.running_operation = None;
        compute.last_outcome = operation.outcome;
        if operation.outcome != Outcome::Succeeded {
            compute.identity = operation.before.clone();
            compute.version += 1;
        }
        let assigned = compute.identity.user_assigned.values_mut();
        for identity in assigned.filter(|a| !a.active) {
            identity.active = true;
            identity.active_since = Instant::now();
        }
    }
}
