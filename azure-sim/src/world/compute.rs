//! Machines and scale sets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Place;

/// The identities on a machine or scale set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VmIdentity {
    /// Whether it has an identity of its own.
    pub system_assigned: bool,
    /// Names (in this world) or resource ids of user-assigned identities.
    pub user_assigned: Vec<String>,
}

/// A machine outside a uniform scale set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualMachine {
    /// Resource name.
    pub name: String,
    /// Where it lives.
    #[serde(flatten)]
    pub place: Place,
    /// Identities on it from the start.
    pub identity: VmIdentity,
    /// Name of the flexible scale set it belongs to, in the same group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_set: Option<String>,
    /// Host name; the resource name in lower case if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computer_name: Option<String>,
    /// Its address in instance metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_ip: Option<String>,
    /// Azure tags.
    pub tags: BTreeMap<String, String>,
}

/// How a scale set makes its machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Orchestration {
    /// Instances are parts of the set and share its identities.
    #[default]
    Uniform,
    /// Instances are plain machines with identities of their own.
    Flexible,
}

/// A scale set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScaleSet {
    /// Resource name.
    pub name: String,
    /// Where it lives.
    #[serde(flatten)]
    pub place: Place,
    /// Uniform unless said otherwise.
    pub orchestration: Orchestration,
    /// Identities on its model from the start.
    pub identity: VmIdentity,
    /// Instances of a uniform set. The machines of a flexible one are [`VirtualMachine`]s.
    pub instances: Vec<Instance>,
    /// Azure tags.
    pub tags: BTreeMap<String, String>,
}

/// One instance of a uniform scale set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Instance {
    /// Digits; its position in the list if empty.
    pub id: String,
    /// Host name, thus node name; `{set}{id as six base-36 digits}` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computer_name: Option<String>,
    /// Its address in instance metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_ip: Option<String>,
}
