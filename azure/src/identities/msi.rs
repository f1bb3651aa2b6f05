use std::collections::BTreeMap;

use async_trait::async_trait;
use azure_mgmt_msi::package_2023_01_31::{
    self as msi,
    models::{Identity, TrackedResource},
};
use futures::TryStreamExt;
use serde_json::{Value, json};

use super::{Identities, UserAssignedIdentity, UserAssignedIdentitySpec};
use crate::{
    Arm, Deleted, IdentityId, Operation, ResourceGroupId, Result,
    absent::is_absent,
    arm::{CallContext, Session},
};

/// [`Identities`] in ARM, with the requests and answers of `azure_mgmt_msi`.
#[derive(Clone, Debug)]
pub struct ArmIdentities {
    arm: Arm,
}

impl ArmIdentities {
    /// A client over a connection.
    pub fn new(arm: &Arm) -> Self {
        Self { arm: arm.clone() }
    }

    fn session(&self, operation: Operation, resource: impl ToString) -> Result<Session> {
        Ok(Session::new(
            &self.arm,
            CallContext::new(operation, resource)?,
        ))
    }
}

fn client(session: &Session) -> Result<msi::user_assigned_identities::Client> {
    let client = msi::Client::builder(session.credential())
        .endpoint(session.endpoint())
        .retry(session.retry())
        .transport(session.transport())
        .build()
        .map_err(|error| session.error(error))?;
    Ok(client.user_assigned_identities_client())
}

#[async_trait]
impl Identities for ArmIdentities {
    async fn get(&self, id: &IdentityId) -> Result<Option<UserAssignedIdentity>> {
        let session = self.session(Operation::GetIdentity, id)?;
        let get = client(&session)?.get(&id.subscription, &id.group, &id.name);
        match get.await.map_err(|error| session.error(error)) {
            Ok(identity) => read(&session, identity).map(Some),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn put(
        &self,
        id: &IdentityId,
        spec: &UserAssignedIdentitySpec,
    ) -> Result<UserAssignedIdentity> {
        let session = self.session(Operation::PutIdentity, id)?;
        let mut body = TrackedResource::new(spec.location.clone());
        body.tags = Some(
            spec.tags
                .iter()
                .map(|(key, value)| (key.clone(), json!(value)))
                .collect(),
        );
        let put = client(&session)?.create_or_update(
            &id.subscription,
            &id.group,
            &id.name,
            Identity::new(body),
        );
        let identity = put.await.map_err(|error| session.error(error))?;
        read(&session, identity)
    }

    async fn delete(&self, id: &IdentityId) -> Result<Deleted> {
        let session = self.session(Operation::DeleteIdentity, id)?;
        let delete = client(&session)?.delete(&id.subscription, &id.group, &id.name);
        let sent = delete.send().await.map_err(|error| session.error(error));
        Deleted::from_answer(sent.map(|answer| answer.as_raw_response().status().into()))
    }

    async fn list_by_group(&self, group: &ResourceGroupId) -> Result<Vec<UserAssignedIdentity>> {
        let session = self.session(Operation::ListIdentities, group)?;
        let list = client(&session)?.list_by_resource_group(&group.subscription, &group.group);
        let pages = list.into_stream().map_err(|error| session.error(error));
        let pages: Vec<_> = pages.try_collect().await?;
        let identities = pages.into_iter().flat_map(|page| page.value);
        identities
            .map(|identity| read(&session, identity))
            .collect()
    }
}

fn read(session: &Session, identity: Identity) -> Result<UserAssignedIdentity> {
    let missing = |what: &str| session.malformed(&format!("the identity has no {what}"));
    let tracked = identity.tracked_resource;
    let properties = identity.properties.unwrap_or_default();
    let id = tracked.resource.id.ok_or_else(|| missing("id"))?;
    Ok(UserAssignedIdentity {
        id: id
            .parse()
            .map_err(|_| session.malformed(&format!("a strange id {id:?}")))?,
        location: tracked.location,
        tags: read_tags(tracked.tags),
        client_id: properties.client_id.ok_or_else(|| missing("clientId"))?,
        principal_id: properties
            .principal_id
            .ok_or_else(|| missing("principalId"))?,
        tenant_id: properties.tenant_id.ok_or_else(|| missing("tenantId"))?,
    })
}

/// Tags are text to text; anything else is not a tag and left out.
fn read_tags(tags: Option<Value>) -> BTreeMap<String, String> {
    let Some(Value::Object(tags)) = tags else {
        return BTreeMap::new();
    };
    let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
    tags.into_iter().filter_map(text).collect()
}
