//! Roles of a world, and who holds them.

use std::time::Instant;

use jiff::Timestamp;

use super::wrong;
use crate::state::access::built_in;
use crate::state::ids::{fold, last, named};
use crate::state::{Assignment, Definition, State};
use crate::world::{self, RoleDefinition, WorldError};

impl State {
    pub(in crate::state) fn add_built_in_roles(&mut self) -> Result<(), WorldError> {
        for role in built_in().map_err(|e| wrong(format!("the built-in roles are damaged: {e}")))? {
            self.add_definition(&role, true);
        }
        Ok(())
    }

    pub(super) fn add_definition(&mut self, role: &RoleDefinition, built_in: bool) {
        let guid = role.id.as_deref().map_or_else(
            || named("role", &role.role_name),
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
        given: &world::RoleAssignment,
        default: &str,
    ) -> Result<(), WorldError> {
        let role = self
            .definition(&given.role)
            .ok_or_else(|| wrong(format!("no role is called `{}`", given.role)))?
            .guid
            .clone();
        let principal_id = self.principal_called(&given.principal, default)?;
        let scope = match given.scope.as_str() {
            "" => format!("/subscriptions/{default}"),
            scope => scope.to_owned(),
        };
        let name = given.name.clone().unwrap_or_else(|| {
            named(
                "assignment",
                &format!("{}|{role}|{principal_id}", fold(&scope)),
            )
        });
        let now = Timestamp::now();
        let assignment = Assignment {
            name,
            scope,
            role,
            principal_id,
            description: None,
            created: now,
            updated: now,
            author: None,
            born: Instant::now(),
        };
        self.assignments
            .insert(assignment.name.to_lowercase(), assignment);
        Ok(())
    }

    fn principal_called(&self, reference: &str, default: &str) -> Result<String, WorldError> {
        if let Some(app) = self.apps.get(&fold(reference)) {
            return Ok(app.object_id.clone());
        }
        if let Some(identity) = self.identity_called(reference, default) {
            return Ok(identity.principal_id.clone());
        }
        if uuid::Uuid::parse_str(reference).is_ok() {
            return Ok(reference.to_lowercase());
        }
        let system = self
            .hosts
            .get(&fold(reference))
            .and_then(|h| h.block.system.as_ref());
        system.map(|s| s.principal_id.clone()).ok_or_else(|| {
            wrong(format!("a role is given to `{reference}`, which is neither an application, an identity nor a GUID"))
        })
    }
}
