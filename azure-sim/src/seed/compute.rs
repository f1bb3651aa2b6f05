//! The seed of VMs and scale sets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::place::Place;

/// The identities on a VM or scale set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VmIdentity {
    /// Whether it has a system-assigned identity.
    pub system_assigned: bool,
    /// Names (in this seed) or resource ids of user-assigned identities.
    pub user_assigned: Vec<String>,
}

/// A VM outside a uniform scale set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualMachine {
    /// Resource name.
    pub name: String,
    /// Subscription, group and region.
    #[serde(flatten)]
    pub place: Place,
    /// Identities on it at the start.
    pub identity: VmIdentity,
    /// Name of the flexible scale set it belongs to, in the same group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_set: Option<String>,
    /// Host name; the resource name in lower case if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computer_name: Option<String>,
    /// IPv4 address in instance metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_ip: Option<String>,
    /// Azure tags.
    pub tags: BTreeMap<String, String>,
}

/// Orchestration mode of a scale set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Orchestration {
    /// Instances are parts of the scale set and share its identities.
    #[default]
    Uniform,
    /// Instances are VMs with identities of their own.
    Flexible,
}

/// A scale set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScaleSet {
    /// Resource name.
    pub name: String,
    /// Subscription, group and region.
    #[serde(flatten)]
    pub place: Place,
    /// Orchestration mode; uniform if absent.
    pub orchestration: Orchestration,
    /// Identities on its model at the start.
    pub identity: VmIdentity,
    /// Instances of a uniform scale set. Those of a flexible one are [`VirtualMachine`]s.
    pub instances: Vec<Instance>,
    /// Azure tags.
    pub tags: BTreeMap<String, String>,
}

/// One instance of a uniform scale set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Instance {
    /// Instance id, digits only; the position in the list if empty.
    pub id: String,
    /// Host name, hence node name; `{scale set}{id as six base-36 digits}` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computer_name: Option<String>,
    /// IPv4 address in instance metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_ip: Option<String>,
}
