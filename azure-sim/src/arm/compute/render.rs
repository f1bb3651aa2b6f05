//! The JSON of VMs and scale sets in ARM.

use serde_json::{Map, Value, json};

use crate::resources::{ComputeKind, ComputeResource, IdentityBlock, Vm};
use crate::seed::Orchestration;
use crate::state::State;

/// Size of every VM. No behaviour depends on it.
const SIZE: &str = "Standard_D2s_v5";

/// A VM or scale set.
pub(super) fn compute(state: &State, compute: &ComputeResource) -> Value {
    let id = &compute.id;
    let mut body = resource(&id.path(), &id.name, id.kind, compute);
    // A flexible scale set without a VM profile has no `sku`.
    if let ComputeKind::ScaleSet {
        orchestration: Orchestration::Uniform,
        ..
    } = compute.kind
    {
        let capacity = state.instances(compute).len();
        body["sku"] = json!({"name": SIZE, "tier": "Standard", "capacity": capacity});
    }
    add_identity(&mut body, &compute.identity, &state.tenant);
    body["properties"] = properties(state, compute);
    body["etag"] = json!(compute.etag());
    body
}

fn properties(state: &State, compute: &ComputeResource) -> Value {
    match &compute.kind {
        ComputeKind::VirtualMachine {
            computer_name,
            scale_set,
            ..
        } => {
            let mut properties = json!({
                "vmId": compute.unique_id,
                "provisioningState": compute.provisioning_state(),
                "hardwareProfile": {"vmSize": SIZE},
                "osProfile": {"computerName": computer_name},
            });
            if let Some(set) = scale_set.as_ref().and_then(|s| state.compute.get(s)) {
                properties["virtualMachineScaleSet"] = json!({"id": set.id.path()});
            }
            properties
        }
        ComputeKind::ScaleSet { orchestration, .. } => json!({
            "uniqueId": compute.unique_id,
            "provisioningState": compute.provisioning_state(),
            "orchestrationMode": orchestration,
            "upgradePolicy": {"mode": "Manual"},
        }),
    }
}

/// An instance of a scale set: in a flexible one it is a VM resource like any other.
pub(super) fn instance(state: &State, vm: &Vm<'_>) -> Value {
    let Some(instance_id) = vm.instance_id else {
        return compute(state, vm.compute);
    };
    let kind = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines";
    let mut body = resource(&vm.id, &vm.name, kind, vm.compute);
    body["instanceId"] = json!(instance_id);
    add_identity(&mut body, &vm.compute.identity, &state.tenant);
    body["properties"] = json!({
        "vmId": vm.unique_id,
        "latestModelApplied": true,
        "provisioningState": "Succeeded",
        "hardwareProfile": {"vmSize": SIZE},
        "osProfile": {"computerName": vm.computer_name},
    });
    body
}

fn resource(id: &str, name: &str, kind: &str, compute: &ComputeResource) -> Value {
    json!({"id": id, "name": name, "type": kind, "location": compute.location, "tags": compute.tags})
}

/// Adds the `identity` block, unless there are no identities.
fn add_identity(body: &mut Value, block: &IdentityBlock, tenant: &str) {
    let typ = match (
        block.system_assigned.is_some(),
        block.user_assigned.is_empty(),
    ) {
        (false, true) => return,
        (true, true) => "SystemAssigned",
        (false, false) => "UserAssigned",
        (true, false) => "SystemAssigned, UserAssigned",
    };
    let mut identity = json!({"type": typ});
    if let Some(system) = &block.system_assigned {
        identity["principalId"] = json!(system.principal_id);
        identity["tenantId"] = json!(tenant);
    }
    if !block.user_assigned.is_empty() {
        let users: Map<String, Value> = block
            .user_assigned
            .values()
            .map(|a| {
                let ids = json!({"principalId": a.principal_id, "clientId": a.client_id});
                (a.id.clone(), ids)
            })
            .collect();
        identity["userAssignedIdentities"] = Value::Object(users);
    }
    body["identity"] = identity;
}
