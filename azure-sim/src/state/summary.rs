//! The state as `GET /state` shows it. It contains no secret.

use serde_json::{Value, json};

use super::State;
use crate::conditions::Condition;
use crate::resources::{ComputeResource, Identity};

impl State {
    /// Identities, applications, role assignments, and the identities on VMs and scale sets.
    pub(crate) fn summary(&self) -> Value {
        let (vms, sets): (Vec<_>, Vec<_>) = self.compute.values().partition(|c| c.is_vm());
        json!({
            "tenantId": self.tenant,
            "subscriptions": self.subscriptions.values().collect::<Vec<_>>(),
            "identities": self.identities.values().map(identity).collect::<Vec<_>>(),
            "applications": self.apps.values().map(|a| json!({
                "name": a.registered.name, "clientId": a.client_id, "objectId": a.object_id,
                "federatedCredentials": a.registered.federated_credentials,
            })).collect::<Vec<_>>(),
            "roleAssignments": self.assignments.values().map(|a| json!({
                "name": a.name,
                "scope": a.scope,
                "role": self.definitions.get(&a.role).map_or(a.role.as_str(), |d| &d.role.role_name),
                "principalId": a.principal_id,
                "condition": a.condition.as_ref().map(Condition::text),
                "conditionVersion": a.condition.as_ref().map(Condition::version),
            })).collect::<Vec<_>>(),
            "virtualMachines": vms.into_iter().map(compute).collect::<Vec<_>>(),
            "scaleSets": sets.into_iter().map(|s| self.scale_set(s)).collect::<Vec<_>>(),
        })
    }

    fn scale_set(&self, set: &ComputeResource) -> Value {
        let mut summary = compute(set);
        let instances: Vec<_> = self.instances(set).into_iter().map(|vm| vm.id).collect();
        summary["instances"] = json!(instances);
        summary
    }
}

fn identity(identity: &Identity) -> Value {
    json!({
        "id": identity.id.path(),
        "location": identity.location,
        "clientId": identity.client_id,
        "principalId": identity.principal_id,
        "tags": identity.tags,
        "federatedCredentials": identity.federated.values().map(|f| &f.credential).collect::<Vec<_>>(),
    })
}

fn compute(compute: &ComputeResource) -> Value {
    let assigned = compute.identity.user_assigned.values();
    json!({
        "id": compute.id.path(),
        "provisioningState": compute.provisioning_state(),
        "systemAssigned": compute.identity.system_assigned.is_some(),
        "userAssigned": assigned.map(|a| &a.id).collect::<Vec<_>>(),
    })
}
