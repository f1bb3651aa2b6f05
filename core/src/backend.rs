//! The ways in which pods get tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How pods get tokens.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Backend {
    /// The identity is attached to the machine under the pod; the machine's metadata service
    /// issues the tokens.
    #[default]
    NodeAssigned,
}
