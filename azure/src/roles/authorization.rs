use async_trait::async_trait;
use azure_mgmt_authorization::package_2022_04_01::{
    self as authorization,
    models::{
        RoleAssignment as Wire, RoleAssignmentCreateParameters, RoleAssignmentProperties,
        role_assignment_properties::PrincipalType,
    },
};
use futures::TryStreamExt;
use uuid::Uuid;

use super::{RoleAssignment, RoleAssignmentSpec, RoleAssignments, RoleDefinition};
use crate::{
    Arm, Deleted, Operation, Result,
    absent::is_absent,
    arm::{CallContext, Session},
};

/// [`RoleAssignments`] in ARM, with the requests and answers of `azure_mgmt_authorization`.
#[derive(Clone, Debug)]
pub struct ArmRoleAssignments {
    arm: Arm,
}

impl ArmRoleAssignments {
    /// A client over a connection.
    pub fn new(arm: &Arm) -> Self {
        Self { arm: arm.clone() }
    }

    fn session(&self, operation: Operation, resource: &str) -> Result<Session> {
        Ok(Session::new(
            &self.arm,
            CallContext::new(operation, resource)?,
        ))
    }

    async fn list_filtered(
        &self,
        scope: &str,
        filter: Option<String>,
    ) -> Result<Vec<RoleAssignment>> {
        let session = self.session(Operation::ListRoleAssignments, scope)?;
        let mut list = client(&session)?
            .role_assignments_client()
            .list_for_scope(relative(scope));
        if let Some(filter) = filter {
            list = list.filter(filter);
        }
        let mut pages = list.into_stream().map_err(|error| session.error(error));
        let first = match pages.try_next().await {
            // There are no role assignments on a scope that does not exist.
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            first => first?,
        };
        // Once the scope has answered it is there: no later page can say that it is not.
        let rest: Vec<_> = pages.try_collect().await?;
        let pages = first.into_iter().chain(rest);
        let assignments = pages.flat_map(|page| page.value);
        assignments
            .map(|assignment| read(&session, assignment))
            .collect()
    }
}

fn client(session: &Session) -> Result<authorization::Client> {
    authorization::Client::builder(session.credential())
        .endpoint(session.endpoint())
        .retry(session.retry())
        .transport(session.transport())
        .build()
        .map_err(|error| session.error(error))
}

/// The generated code puts the first slash of a path there itself.
fn relative(id: &str) -> &str {
    id.trim_start_matches('/')
}

/// Text inside a filter's quotes; OData doubles a quote.
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

#[async_trait]
impl RoleAssignments for ArmRoleAssignments {
    async fn list(&self, scope: &str) -> Result<Vec<RoleAssignment>> {
        self.list_filtered(scope, None).await
    }

    async fn list_for_principal(
        &self,
        scope: &str,
        principal_id: &str,
    ) -> Result<Vec<RoleAssignment>> {
        let filter = format!("principalId eq '{}'", quoted(principal_id));
        self.list_filtered(scope, Some(filter)).await
    }

    async fn put(
        &self,
        scope: &str,
        name: Uuid,
        spec: &RoleAssignmentSpec,
    ) -> Result<RoleAssignment> {
        let session = self.session(Operation::PutRoleAssignment, scope)?;
        let (role, principal) = (spec.role_definition_id.clone(), spec.principal_id.clone());
        let properties = RoleAssignmentProperties {
            principal_type: Some(PrincipalType::ServicePrincipal),
            description: spec.description.clone(),
            ..RoleAssignmentProperties::new(role, principal)
        };
        let create = client(&session)?.role_assignments_client().create(
            relative(scope),
            name.to_string(),
            RoleAssignmentCreateParameters::new(properties),
        );
        let assignment = create.await.map_err(|error| session.error(error))?;
        read(&session, assignment)
    }

    async fn delete(&self, id: &str) -> Result<Deleted> {
        let session = self.session(Operation::DeleteRoleAssignment, id)?;
        let delete = client(&session)?
            .role_assignments_client()
            .delete_by_id(relative(id));
        // Not `delete.await`: that reads a role assignment, and a 204 has none.
        let sent = delete.send().await.map_err(|error| session.error(error));
        Deleted::from_answer(sent.map(|answer| answer.as_raw_response().status().into()))
    }

    async fn role_definition_by_name(
        &self,
        scope: &str,
        role_name: &str,
    ) -> Result<Option<RoleDefinition>> {
        let session = self.session(Operation::FindRoleDefinition, scope)?;
        let list = client(&session)?
            .role_definitions_client()
            .list(relative(scope));
        let list = list.filter(format!("roleName eq '{}'", quoted(role_name)));
        let pages = list.into_stream().map_err(|error| session.error(error));
        let pages: Vec<_> = pages.try_collect().await?;
        let found = pages
            .into_iter()
            .flat_map(|page| page.value)
            .find_map(|definition| {
                let found_name = definition.properties?.role_name?;
                let id = definition.id?;
                let same = found_name.eq_ignore_ascii_case(role_name);
                same.then_some(RoleDefinition {
                    id,
                    role_name: found_name,
                })
            });
        Ok(found)
    }
}

fn read(session: &Session, assignment: Wire) -> Result<RoleAssignment> {
    let missing = |what| session.malformed(&format!("the role assignment has no {what}"));
    let properties = assignment.properties.ok_or_else(|| missing("properties"))?;
    Ok(RoleAssignment {
        id: assignment.id.ok_or_else(|| missing("id"))?,
        name: assignment.name.ok_or_else(|| missing("name"))?,
        scope: properties.scope.ok_or_else(|| missing("scope"))?,
        role_definition_id: properties.role_definition_id,
        principal_id: properties.principal_id,
        description: properties.description,
    })
}
