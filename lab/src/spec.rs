//! What a lab is started from, and where its processes read that.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::options::UpOptions;

/// File in the state directory with the lab's [`Spec`], as JSON.
pub const SPEC_FILE: &str = "spec.json";
/// File in the state directory with the lab's [`Endpoints`](crate::Endpoints), as JSON.
pub const ENDPOINTS_FILE: &str = "endpoints.json";

/// What a lab is started from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// What the caller chose.
    pub options: UpOptions,
    /// Directory of the built programs.
    pub tools: PathBuf,
}
