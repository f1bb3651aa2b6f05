//! Where a resource is.

use serde::{Deserialize, Serialize};

/// Subscription, resource group and region of a resource. Fields left out take the seed's defaults.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    /// Subscription id; the seed's first if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Resource group name; `podid` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_group: Option<String>,
    /// Region; the seed's if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl Place {
    /// A named group of the default subscription and region.
    pub fn in_group(group: impl Into<String>) -> Self {
        Self {
            resource_group: Some(group.into()),
            ..Self::default()
        }
    }
}
