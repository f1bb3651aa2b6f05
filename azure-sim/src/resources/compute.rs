//! VMs and scale sets, the identities on them, and the long-running operations that change them.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;

use crate::faults::Outcome;
use crate::ids::{ResourceId, stable_guid};
use crate::seed::{Instance, Orchestration};

/// A compute resource that identities are assigned to: a VM or a scale set.
#[derive(Clone, Debug)]
pub(crate) struct ComputeResource {
    pub(crate) id: ResourceId,
    pub(crate) kind: ComputeKind,
    pub(crate) location: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// GUID that stays the same: `vmId` or `uniqueId`.
    pub(crate) unique_id: String,
    pub(crate) identity: IdentityBlock,
    /// Incremented by every change; the etag.
    pub(crate) version: u64,
    /// Id of the operation that is changing it now.
    pub(crate) running_operation: Option<String>,
    /// How the last operation ended.
    pub(crate) last_outcome: Outcome,
}

#[derive(Clone, Debug)]
pub(crate) enum ComputeKind {
    VirtualMachine {
        computer_name: String,
        private_ip: Option<String>,
        /// Normalized id of the flexible scale set that the VM belongs to.
        scale_set: Option<String>,
    },
    ScaleSet {
        orchestration: Orchestration,
        /// Empty for a flexible scale set: its instances are VMs of their own.
        instances: Vec<Instance>,
    },
}

/// The `identity` block of a VM or scale set.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdentityBlock {
    pub(crate) system_assigned: Option<SystemIdentity>,
    /// By normalized id.
    pub(crate) user_assigned: BTreeMap<String, AssignedIdentity>,
}

#[derive(Clone, Debug)]
pub(crate) struct SystemIdentity {
    pub(crate) principal_id: String,
    pub(crate) client_id: String,
}

/// A user-assigned identity with the ids it had when it was assigned. If the identity is deleted
/// and created again, these ids stay until it is assigned once more.
#[derive(Clone, Debug)]
pub(crate) struct AssignedIdentity {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) principal_id: String,
    /// Whether the operation that assigned it has ended.
    pub(crate) active: bool,
    pub(crate) active_since: Instant,
}

/// A long-running change of a VM or scale set. Azure calls it an asynchronous operation.
#[derive(Clone, Debug)]
pub(crate) struct AsyncOperation {
    /// Normalized id of the VM or scale set.
    pub(crate) compute: String,
    pub(crate) started: Timestamp,
    pub(crate) started_at: Instant,
    /// Polls still to be answered `InProgress`. If absent, only `seconds` ends the operation.
    pub(crate) polls_left: Option<u32>,
    /// Azure's seconds after which the operation ends, polled or not.
    pub(crate) seconds: f64,
    /// Azure's seconds between polls.
    pub(crate) retry_after: f64,
    pub(crate) outcome: Outcome,
    /// Error code if it fails.
    pub(crate) code: Option<String>,
    /// What a failure restores.
    pub(crate) before: IdentityBlock,
    pub(crate) ended: Option<Timestamp>,
}

impl ComputeResource {
    pub(crate) fn is_vm(&self) -> bool {
        matches!(self.kind, ComputeKind::VirtualMachine { .. })
    }

    /// `properties.provisioningState`.
    pub(crate) fn provisioning_state(&self) -> &'static str {
        if self.running_operation.is_some() {
            "Updating"
        } else {
            self.last_outcome.word()
        }
    }

    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }
}

/// A VM as IMDS and ARM show it: a VM resource, or an instance of a uniform scale set.
#[derive(Clone, Debug)]
pub(crate) struct Vm<'a> {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Present for an instance of a uniform scale set.
    pub(crate) instance_id: Option<&'a str>,
    pub(crate) computer_name: String,
    pub(crate) private_ip: Option<&'a str>,
    pub(crate) unique_id: String,
    /// Id and name of the scale set it belongs to.
    pub(crate) scale_set: Option<(String, String)>,
    /// The resource whose identities it uses: itself, or its uniform scale set.
    pub(crate) compute: &'a ComputeResource,
}

impl<'a> Vm<'a> {
    /// An instance of a uniform scale set.
    pub(crate) fn of_instance(set: &'a ComputeResource, instance: &'a Instance) -> Self {
        let name = format!("{}_{}", set.id.name, instance.id);
        Self {
            id: format!("{}/virtualMachines/{}", set.id.path(), instance.id),
            computer_name: instance
                .computer_name
                .clone()
                .unwrap_or_else(|| default_computer_name(&set.id.name, &instance.id)),
            instance_id: Some(&instance.id),
            private_ip: instance.private_ip.as_deref(),
            unique_id: stable_guid("instance", &format!("{}/{name}", set.id.path())),
            scale_set: Some((set.id.path(), set.id.name.clone())),
            name,
            compute: set,
        }
    }
}

/// `{scale set}{6 base-36 digits}`, as Azure names the hosts of a scale set.
fn default_computer_name(set: &str, instance: &str) -> String {
    let mut number: u32 = instance.parse().unwrap_or_default();
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
    }
    format!("{}{}", set.to_lowercase(), String::from_utf8_lossy(&digits))
}

#[cfg(test)]
mod tests {
    use super::default_computer_name;

    #[test]
    fn hosts_of_a_scale_set_are_numbered_in_base_36() {
        assert_eq!(default_computer_name("Pool", "0"), "pool000000");
        assert_eq!(default_computer_name("pool", "35"), "pool00000z");
        assert_eq!(default_computer_name("pool", "36"), "pool000010");
    }
}
