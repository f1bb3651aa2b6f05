//! Machines and scale sets as ARM writes them.

use serde_json::{Map, Value, json};

use crate::state::{Host, HostKind, IdentityBlock, Machine, State};
use crate::world::Orchestration;

/// Size of every machine; nothing here depends on it.
const SIZE: &str = "Standard_D2s_v5";

/// A machine or scale set.
pub(super) fn host(state: &State, host: &Host) -> Value {
    let properties = match &host.kind {
        HostKind::Machine {
            computer_name,
            scale_set,
            ..
        } => {
            let mut properties = json!({
                "vmId": host.unique_id,
                "provisioningState": host.provisioning_state(),
                "hardwareProfile": {"vmSize": SIZE},
                "osProfile": {"computerName": computer_name},
            });
            if let Some(set) = scale_set.as_ref().and_then(|s| state.hosts.get(s)) {
                properties["virtualMachineScaleSet"] = json!({"id": set.id.path()});
            }
            properties
        }
        HostKind::ScaleSet { orchestration, .. } => json!({
            "uniqueId": host.unique_id,
            "provisioningState": host.provisioning_state(),
            "orchestrationMode": orchestration,
            "upgradePolicy": {"mode": "Manual"},
        }),
    };
    let mut body = resource(&host.id.path(), &host.id.name, host.id.kind, host);
    if let HostKind::ScaleSet { orchestration, .. } = &host.kind {
        let capacity = state.instances(host).len();
        // A flexible set without a profile has no size of its own.
        if *orchestration == Orchestration::Uniform {
            body["sku"] = json!({"name": SIZE, "tier": "Standard", "capacity": capacity});
        }
    }
    with_identity(&mut body, &host.block, &state.tenant);
    body["properties"] = properties;
    body["etag"] = json!(host.etag());
    body
}

/// A machine as a member of its scale set.
pub(super) fn machine(state: &State, machine: &Machine<'_>) -> Value {
    let Some(instance_id) = machine.instance_id else {
        return host(state, machine.host);
    };
    let kind = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines";
    let mut body = resource(&machine.id, &machine.name, kind, machine.host);
    body["instanceId"] = json!(instance_id);
    with_identity(&mut body, &machine.host.block, &state.tenant);
    body["properties"] = json!({
        "vmId": machine.unique_id,
        "latestModelApplied": true,
        "provisioningState": "Succeeded",
        "hardwareProfile": {"vmSize": SIZE},
        "osProfile": {"computerName": machine.computer_name},
    });
    body
}

fn resource(id: &str, name: &str, kind: &str, host: &Host) -> Value {
    json!({"id": id, "name": name, "type": kind, "location": host.location, "tags": host.tags})
}

fn with_identity(body: &mut Value, block: &IdentityBlock, tenant: &str) {
    let typ = match (block.system.is_some(), block.users.is_empty()) {
        (false, true) => return,
        (true, true) => "SystemAssigned",
        (false, false) => "UserAssigned",
        (true, false) => "SystemAssigned, UserAssigned",
    };
    let mut identity = json!({"type": typ});
    if let Some(system) = &block.system {
        identity["principalId"] = json!(system.principal_id);
        identity["tenantId"] = json!(tenant);
    }
    if !block.users.is_empty() {
        let users: Map<String, Value> = block
            .users
            .values()
            .map(|a| {
                (
                    a.id.clone(),
                    json!({"principalId": a.principal_id, "clientId": a.client_id}),
                )
            })
            .collect();
        identity["userAssignedIdentities"] = Value::Object(users);
    }
    body["identity"] = identity;
}
