//! The services that Entra issues tokens for.

use super::error::EntraError;
use crate::host_names::{BLOB_SUFFIX, VAULT_SUFFIX};
use crate::state::State;

/// Hosts of Azure services with a resource principal in every tenant.
const KNOWN: &[&str] = &[
    "management.azure.com",
    "management.core.windows.net",
    "vault.azure.net",
    "storage.azure.com",
    "graph.microsoft.com",
    "graph.windows.net",
    "database.windows.net",
    "ossrdbms-aad.database.windows.net",
    "servicebus.azure.net",
    "eventhubs.azure.net",
    "cosmos.azure.com",
    "containerregistry.azure.net",
    "cognitiveservices.azure.com",
    "monitor.azure.com",
    "api.loganalytics.io",
    "batch.core.windows.net",
    "datalake.azure.net",
    "azconfig.io",
    "redis.azure.com",
    "search.azure.com",
];

/// The audience of a token for `resource`: `resource` itself, if it is known.
pub(crate) fn audience(state: &State, resource: &str) -> Result<String, EntraError> {
    let host = resource
        .split_once("://")
        .map(|(_, rest)| rest.trim_end_matches('/').to_lowercase());
    let well_known = host.is_some_and(|host| {
        KNOWN.contains(&host.as_str())
            || host.ends_with(VAULT_SUFFIX)
            || host.ends_with(BLOB_SUFFIX)
    });
    let same = |known: &str| {
        known
            .trim_end_matches('/')
            .eq_ignore_ascii_case(resource.trim_end_matches('/'))
    };
    let ours = state.audiences.iter().any(|a| same(a))
        || state
            .apps
            .values()
            .any(|a| same(&a.client_id) || same(&format!("api://{}", a.client_id)));
    if well_known || ours {
        return Ok(resource.to_owned());
    }
    Err(EntraError::unknown_resource(resource, &state.tenant))
}
