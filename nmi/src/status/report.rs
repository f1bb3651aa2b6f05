//! What `podid-nmi status` says, as the daemon writes it and the command reads it. Tokens have no place in it.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// The daemon at one moment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusReport {
    /// Release of the daemon.
    pub(crate) version: String,
    /// Name of the node in the API server.
    pub(crate) node: String,
    /// Whether pods get tokens from this daemon.
    pub(crate) ready: bool,
    /// What it waits for, while it is not ready.
    pub(crate) pending: Vec<String>,
    pub(crate) interception: InterceptionReport,
    pub(crate) pods: Vec<PodReport>,
    pub(crate) tokens: Vec<TokenReport>,
    /// The last ones, newest first.
    pub(crate) errors: Vec<ErrorReport>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InterceptionReport {
    /// How calls come to the daemon.
    pub(crate) engine: String,
    /// `This`, when this daemon takes the node's calls; `Earlier` or `Later`, when another one does.
    pub(crate) active_daemon: String,
    /// Addresses of pods whose calls the rules let in as verified.
    pub(crate) endpoints: usize,
    /// Times the rules had been changed by others and were repaired.
    pub(crate) repaired: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodReport {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// `Served`, or why it is not, as one word.
    pub(crate) state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) identities: Vec<IdentityReport>,
}

/// What a pod gets when it asks for an identity.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityReport {
    /// Namespace and name of the AzureIdentity; empty when no object is meant.
    pub(crate) name: String,
    pub(crate) client_id: String,
    /// `Ready`, `NotAssigned`, `Excepted`, or the word of a refusal.
    pub(crate) state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// A token that is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenReport {
    pub(crate) client_id: String,
    pub(crate) resource: String,
    /// How many pods have it.
    pub(crate) pods: usize,
    pub(crate) age_seconds: u64,
    pub(crate) seconds_left: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorReport {
    pub(crate) seconds_ago: u64,
    /// How many times the same caller was refused with the same word.
    pub(crate) count: u64,
    /// Namespace and name of the pod; its address while it is not attested.
    pub(crate) caller: String,
    pub(crate) outcome: String,
    pub(crate) reason: String,
}
