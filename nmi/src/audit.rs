//! One line for every token issued or refused, under the log target `audit`. Never a token.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::pod_context::PodContext;
use crate::token::TokenOrigin;

/// Most characters of a text chosen by the caller that are written.
const TEXT_MAX: usize = 256;

/// What is known of a request when it is answered.
#[derive(Debug, Default)]
pub(crate) struct AuditRecord {
    /// Who asked, as far as it was attested.
    pub(crate) entry: Option<Arc<PodContext>>,
    /// AzureIdentity, namespace/name.
    pub(crate) identity: Option<String>,
    /// Client id of that identity.
    pub(crate) client_id: Option<String>,
    /// Audience asked for.
    pub(crate) resource: String,
    /// The caller's own id of its request.
    pub(crate) request_id: Option<String>,
    /// Where the token was found, if there is one.
    pub(crate) origin: Option<TokenOrigin>,
    /// The reason of a refusal, for people.
    pub(crate) reason: Option<String>,
}

impl AuditRecord {
    /// Writes the line. What the caller chose freely is quoted, so that it cannot forge another.
    pub(crate) fn write(&self, outcome: &'static str, address: Ipv4Addr, took: Duration) {
        let pod = self.entry.as_ref().map(|entry| &entry.caller.pod);
        tracing::info!(
            target: "audit",
            outcome,
            %address,
            namespace = pod.map(|pod| pod.namespace.as_str()),
            pod = pod.map(|pod| pod.name.as_str()),
            uid = pod.map(|pod| pod.uid.as_str()),
            identity = self.identity.as_deref(),
            client_id = self.client_id.as_deref(),
            resource = quoted(Some(&self.resource)),
            request_id = quoted(self.request_id.as_deref()),
            cached = self.origin.map(|origin| origin == TokenOrigin::Cache),
            reason = quoted(self.reason.as_deref()),
            took_ms = took.as_secs_f64() * 1000.0,
            "token request"
        );
    }
}

fn quoted(text: Option<&str>) -> Option<impl tracing::Value> {
    text.map(|text| tracing::field::debug(head(text)))
}

fn head(text: &str) -> &str {
    text.char_indices()
        .nth(TEXT_MAX)
        .map_or(text, |(end, _)| &text[..end])
}
