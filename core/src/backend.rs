//! The ways in which pods get tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How pods get tokens.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Backend {
    /// The identity is assigned to the VM or scale set under the pod; the metadata service of that VM
    /// issues the tokens.
    #[default]
    NodeAssigned,
}
