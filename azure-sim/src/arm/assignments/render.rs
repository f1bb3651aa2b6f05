//! The JSON of role assignments.

use serde_json::{Value, json};

use crate::arm::kind::subscription_of;
use crate::clock::arm_time;
use crate::conditions::Condition;
use crate::resources::Assignment;
use crate::state::State;

const TYPE: &str = "Microsoft.Authorization/roleAssignments";

/// The id of an assignment.
pub(super) fn id(assignment: &Assignment) -> String {
    let Assignment { scope, name, .. } = assignment;
    format!("{}/providers/{TYPE}/{name}", scope.trim_end_matches('/'))
}

/// An assignment. In the answer that creates it (`created`), `createdBy` is null, as in Azure.
pub(super) fn assignment(state: &State, assignment: &Assignment, created: bool) -> Value {
    let prefix = subscription_of(&assignment.scope)
        .map(|s| format!("/subscriptions/{s}"))
        .unwrap_or_default();
    let condition = assignment.condition.as_ref();
    json!({
        "id": id(assignment),
        "name": assignment.name,
        "type": TYPE,
        "properties": {
            "roleDefinitionId": format!("{prefix}/providers/Microsoft.Authorization/roleDefinitions/{}", assignment.role),
            "principalId": assignment.principal_id,
            "principalType": state.principal_type(&assignment.principal_id),
            "scope": assignment.scope,
            "description": assignment.description,
            "condition": condition.map(Condition::text),
            "conditionVersion": condition.map(Condition::version),
            "createdOn": arm_time(assignment.created),
            "updatedOn": arm_time(assignment.updated),
            "createdBy": if created { None } else { assignment.author.as_ref() },
            "updatedBy": assignment.author,
            "delegatedManagedIdentityResourceId": null,
        },
    })
}
