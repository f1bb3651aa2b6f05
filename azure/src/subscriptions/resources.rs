use async_trait::async_trait;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Location, ResourceGroup, Subscription, Subscriptions};
use crate::{
    Arm, Operation, ResourceGroupId, Result,
    absent::{is_absent, is_absent_subscription},
    arm::{ArmRequest, CallContext},
};

/// Version of subscriptions and their regions.
const SUBSCRIPTIONS_VERSION: &str = "2022-12-01";

/// Version of resource groups.
const GROUPS_VERSION: &str = "2021-04-01";

/// [`Subscriptions`] in ARM.
#[derive(Clone, Debug)]
pub struct ArmSubscriptions {
    arm: Arm,
}

impl ArmSubscriptions {
    /// A client over a connection.
    pub fn new(arm: &Arm) -> Self {
        Self { arm: arm.clone() }
    }

    async fn read<T: DeserializeOwned>(
        &self,
        call: &CallContext,
        path: &str,
        version: &str,
    ) -> Result<T> {
        let url = self.arm.url(path, version);
        self.arm.send(call, &ArmRequest::get(url)).await?.json(call)
    }
}

#[async_trait]
impl Subscriptions for ArmSubscriptions {
    async fn get(&self, id: &str) -> Result<Option<Subscription>> {
        let path = format!("/subscriptions/{id}");
        let call = CallContext::new(Operation::GetSubscription, &path)?;
        let read = self.read::<WireSubscription>(&call, &path, SUBSCRIPTIONS_VERSION);
        match read.await {
            Ok(found) => Ok(Some(Subscription {
                id: found.subscription_id,
                tenant_id: found.tenant_id,
            })),
            Err(error) if is_absent_subscription(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn locations(&self, id: &str) -> Result<Vec<Location>> {
        let subscription = format!("/subscriptions/{id}");
        let call = CallContext::new(Operation::ListLocations, &subscription)?;
        // Not paged: Azure answers with all at once.
        let path = format!("{subscription}/locations");
        let list: WireLocations = self.read(&call, &path, SUBSCRIPTIONS_VERSION).await?;
        let locations = list.value.into_iter().map(|found| Location {
            name: found.name,
            display_name: found.display_name.unwrap_or_default(),
        });
        Ok(locations.collect())
    }

    async fn group(&self, id: &ResourceGroupId) -> Result<Option<ResourceGroup>> {
        let call = CallContext::new(Operation::GetResourceGroup, id)?;
        let path = id.to_string();
        let read = self.read::<WireGroup>(&call, &path, GROUPS_VERSION);
        match read.await {
            Ok(found) => Ok(Some(ResourceGroup {
                id: ResourceGroupId::new(&id.subscription, found.name),
                location: found.location,
            })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSubscription {
    subscription_id: String,
    tenant_id: String,
}

#[derive(Deserialize)]
struct WireLocations {
    value: Vec<WireLocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLocation {
    name: String,
    display_name: Option<String>,
}

#[derive(Deserialize)]
struct WireGroup {
    name: String,
    location: String,
}
