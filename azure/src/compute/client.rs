use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::{Compute, ComputeIdentity, ComputeTarget, IdentityPatch, ResourceIdentityType};
use crate::{
    Arm, ErrorClass, IdentityId, Operation, Result,
    absent::is_absent,
    arm::{ArmRequest, ArmResponse, CallContext},
};

/// The first version in which VMs and scale sets take `If-Match` and scale sets carry an etag
/// is 2023-09-01; this later one is what the Azure SDK for Go sends.
const API_VERSION: &str = "2025-04-01";

/// [`Compute`] in ARM.
#[derive(Clone, Debug)]
pub struct ArmCompute {
    arm: Arm,
}

impl ArmCompute {
    /// A client over a connection.
    pub fn new(arm: &Arm) -> Self {
        Self { arm: arm.clone() }
    }

    async fn read(&self, call: &CallContext, target: &ComputeTarget) -> Result<ComputeIdentity> {
        let url = self.arm.url(&target.to_string(), API_VERSION);
        let response = self.arm.send(call, &ArmRequest::get(url)).await?;
        parse(call, &response)
    }
}

#[async_trait]
impl Compute for ArmCompute {
    async fn get_identity(&self, target: &ComputeTarget) -> Result<Option<ComputeIdentity>> {
        let call = CallContext::new(Operation::GetComputeIdentity, target)?;
        match self.read(&call, target).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn patch_identity(
        &self,
        target: &ComputeTarget,
        patch: &IdentityPatch,
        if_match: Option<&str>,
    ) -> Result<ComputeIdentity> {
        let call = CallContext::new(Operation::PatchComputeIdentity, target)?;
        let url = self.arm.url(&target.to_string(), API_VERSION);
        let request = ArmRequest {
            body: Some(patch.to_body().to_string().into()),
            if_match: if_match.map(str::to_owned),
            ..ArmRequest::new(Method::PATCH, url.clone())
        };
        let accepted = self.arm.send(&call, &request).await?;
        self.arm.wait_for(&call, &url, accepted).await?;
        // The change is made. A caller that got an error now would take it for one that is not.
        loop {
            match self.read(&call, target).await {
                Err(error) if error.class() == ErrorClass::HeldBack => {
                    sleep(error.retry_after().unwrap_or_default()).await;
                }
                read => return read,
            }
        }
    }
}

/// The part of ARM's description of a VM or scale set that is read here.
#[derive(Deserialize)]
struct WireCompute {
    #[serde(default)]
    identity: Option<WireIdentity>,
    #[serde(default)]
    etag: Option<String>,
    #[serde(default)]
    properties: Option<WireProperties>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireProperties {
    provisioning_state: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireIdentity {
    #[serde(rename = "type")]
    kind: Option<String>,
    principal_id: Option<String>,
    user_assigned_identities: Option<BTreeMap<String, Value>>,
}

/// The client id that Azure shows of an identity. One of another form than expected counts as not shown,
/// so that the rest of the answer can still be read.
fn client_id(shown: &Value) -> Option<&str> {
    let client_id = shown.get("clientId")?.as_str()?;
    (!client_id.is_empty()).then_some(client_id)
}

fn parse(call: &CallContext, response: &ArmResponse) -> Result<ComputeIdentity> {
    let compute: WireCompute = response.json(call)?;
    let identity = compute.identity.unwrap_or_default();
    let ids = identity.user_assigned_identities.unwrap_or_default();
    let (mut user_assigned, mut client_ids) = (BTreeSet::new(), BTreeMap::new());
    for (id, shown) in &ids {
        let strange = |_| call.malformed(format!("a strange identity id {id:?}"), None);
        let id: IdentityId = id.parse().map_err(strange)?;
        if let Some(client_id) = client_id(shown) {
            client_ids.insert(id.clone(), client_id.to_owned());
        }
        user_assigned.insert(id);
    }
    Ok(ComputeIdentity {
        kind: ResourceIdentityType::parse(identity.kind.as_deref().unwrap_or_default()),
        system_principal_id: identity.principal_id,
        user_assigned,
        client_ids,
        etag: compute.etag,
        provisioning_state: compute.properties.and_then(|it| it.provisioning_state),
    })
}
