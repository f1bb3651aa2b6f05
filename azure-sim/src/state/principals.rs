//! Principals: who they are, and what their roles allow.

use std::time::Instant;

use super::State;
use crate::conditions::{Attempt, AttributesOfAssignment};
use crate::ids::{covers, last, normalize};
use crate::resources::{Assignment, Client, Definition, Plane};

impl State {
    /// The application or identity with this client id.
    pub(crate) fn client(&self, client_id: &str) -> Option<Client> {
        let app = self
            .apps
            .values()
            .find(|a| a.client_id.eq_ignore_ascii_case(client_id));
        let identity = || {
            self.identities
                .values()
                .find(|i| i.client_id.eq_ignore_ascii_case(client_id))
        };
        match app {
            Some(app) => Some(Client::App(app.clone())),
            None => identity().cloned().map(Client::Identity),
        }
    }

    /// When a principal was created; `None` for one that the directory does not know. Applications
    /// and system-assigned identities count as created when the simulator started.
    pub(crate) fn principal_created_at(&self, principal: &str) -> Option<Instant> {
        let same = |id: &str| id.eq_ignore_ascii_case(principal);
        let identity = self
            .identities
            .values()
            .find(|i| same(&i.principal_id))
            .map(|i| i.created_at);
        let known = self.apps.values().any(|a| same(&a.object_id))
            || self.compute.values().any(|c| {
                let system = c.identity.system_assigned.as_ref();
                system.is_some_and(|s| same(&s.principal_id))
            });
        identity.or_else(|| known.then_some(self.started_at))
    }

    /// Whether `principal` may carry out a control plane action at `scope`.
    pub(crate) fn is_allowed(&self, principal: &str, attempt: &Attempt<'_>, scope: &str) -> bool {
        self.is_allowed_through(principal, (Plane::Control, attempt), scope, |_| true)
    }

    /// The same for an action of either plane, through those role assignments only that `effective`
    /// accepts.
    pub(crate) fn is_allowed_through(
        &self,
        principal: &str,
        (plane, attempt): (Plane, &Attempt<'_>),
        scope: &str,
        effective: impl Fn(&Assignment) -> bool,
    ) -> bool {
        self.with_action(principal, (plane, attempt.action), scope)
            .any(|a| a.permits(attempt) && effective(a))
    }

    /// Whether `principal` has a role with a control plane action at `scope`, with a condition or
    /// without.
    pub(crate) fn has_action(&self, principal: &str, action: &str, scope: &str) -> bool {
        let mut with_action = self.with_action(principal, (Plane::Control, action), scope);
        with_action.next().is_some()
    }

    /// The principal's role assignments that hold at `scope` and whose roles have the action.
    fn with_action(
        &self,
        principal: &str,
        (plane, action): (Plane, &str),
        scope: &str,
    ) -> impl Iterator<Item = &Assignment> {
        let scope = normalize(scope);
        self.assignments
            .values()
            .filter(move |a| a.principal_id.eq_ignore_ascii_case(principal))
            .filter(move |a| covers(&normalize(&a.scope), &scope))
            .filter(move |a| {
                self.definitions
                    .get(&a.role)
                    .is_some_and(|d| d.role.permissions.iter().any(|p| p.allows(action, plane)))
            })
    }

    /// The type of a principal: all in this directory are service principals. The assignments of a
    /// deleted principal stay, with the type `Unknown`.
    pub(crate) fn principal_type(&self, principal: &str) -> &'static str {
        match self.principal_created_at(principal) {
            Some(_) => "ServicePrincipal",
            None => "Unknown",
        }
    }

    /// What conditions may ask of an assignment.
    pub(crate) fn attributes(&self, assignment: &Assignment) -> AttributesOfAssignment {
        AttributesOfAssignment {
            role: assignment.role.clone(),
            principal_id: assignment.principal_id.clone(),
            principal_type: self.principal_type(&assignment.principal_id).into(),
        }
    }

    /// A role definition by its name, GUID or full id.
    pub(crate) fn definition(&self, role: &str) -> Option<&Definition> {
        let guid = last(role).to_lowercase();
        self.definitions.get(&guid).or_else(|| {
            self.definitions
                .values()
                .find(|d| d.role.role_name.eq_ignore_ascii_case(role))
        })
    }
}
