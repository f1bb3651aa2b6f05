//! Role definitions and role assignments of a seed.

use std::time::Instant;

use jiff::Timestamp;

use crate::conditions::Condition;
use crate::ids::{last, normalize, stable_guid};
use crate::resources::{Assignment, Definition, built_in_roles};
use crate::seed::{self, RoleDefinition, SeedError};
use crate::state::State;

impl State {
    pub(super) fn add_built_in_roles(&mut self) -> Result<(), SeedError> {
        let roles = built_in_roles().map_err(|e| {
            SeedError::inconsistent(format!("the built-in roles cannot be parsed: {e}"))
        })?;
        for role in roles {
            self.add_definition(&role, true);
        }
        Ok(())
    }

    pub(super) fn add_definition(&mut self, role: &RoleDefinition, built_in: bool) {
        let guid = role.id.as_deref().map_or_else(
            || stable_guid("role", &role.role_name),
            |id| last(id).to_lowercase(),
        );
        let mut role = role.clone();
        if role.assignable_scopes.is_empty() {
            role.assignable_scopes.push("/".into());
        }
        self.definitions.insert(
            guid.clone(),
            Definition {
                guid,
                built_in,
                role,
            },
        );
    }

    pub(super) fn add_assignment(
        &mut self,
        given: &seed::RoleAssignment,
        default: &str,
    ) -> Result<(), SeedError> {
        let role = self
            .definition(&given.role)
            .ok_or_else(|| SeedError::inconsistent(format!("no role is called `{}`", given.role)))?
            .guid
            .clone();
        let principal_id = self.principal_called(&given.principal, default)?;
        let scope = match given.scope.as_str() {
            "" => format!("/subscriptions/{default}"),
            scope => scope.to_owned(),
        };
        let name = given.name.clone().unwrap_or_else(|| {
            stable_guid(
                "assignment",
                &format!("{}|{role}|{principal_id}", normalize(&scope)),
            )
        });
        let version = given.condition_version.as_deref();
        let condition = Condition::read(given.condition.as_deref(), version).map_err(|error| {
            SeedError::inconsistent(format!("an assignment of `{}`: {error}", given.role))
        })?;
        let now = Timestamp::now();
        let assignment = Assignment {
            name,
            scope,
            role,
            principal_id,
            description: None,
            condition,
            created: now,
            updated: now,
            author: None,
            created_at: Instant::now(),
        };
        self.assignments
            .insert(assignment.name.to_lowercase(), assignment);
        Ok(())
    }

    /// Object id of a principal: of an application by name, an identity by name or id, a VM or scale
    /// set by the id of the resource. A GUID stands for itself, known or not.
    fn principal_called(&self, reference: &str, default: &str) -> Result<String, SeedError> {
        if let Some(app) = self.apps.get(&normalize(reference)) {
            return Ok(app.object_id.clone());
        }
        if let Some(identity) = self.identity_called(reference, default) {
            return Ok(identity.principal_id.clone());
        }
        if uuid::Uuid::parse_str(reference).is_ok() {
            return Ok(reference.to_lowercase());
        }
        let system = self
            .compute
            .get(&normalize(reference))
            .and_then(|c| c.identity.system_assigned.as_ref());
        system.map(|s| s.principal_id.clone()).ok_or_else(|| {
            SeedError::inconsistent(format!(
                "a role is given to `{reference}`, which is neither an application, an identity nor a GUID"
            ))
        })
    }
}
