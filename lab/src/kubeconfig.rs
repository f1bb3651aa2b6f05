//! Kubeconfig files, written as JSON, which is YAML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// How whoever has the file proves who it is.
pub(crate) enum Credential<'a> {
    /// A client certificate and its key, as PEM.
    Certificate { certificate: &'a str, key: &'a str },
    /// A bearer token.
    Token(&'a str),
}

/// The text of a kubeconfig for the API server at `server`.
pub(crate) fn render(lab: &str, server: &str, ca: &str, credential: &Credential<'_>) -> String {
    let context = format!("podid-lab-{lab}");
    let user = match credential {
        Credential::Certificate { certificate, key } => json!({
            "client-certificate-data": STANDARD.encode(certificate),
            "client-key-data": STANDARD.encode(key),
        }),
        Credential::Token(token) => json!({ "token": token }),
    };
    let named = |key: &str, value: Value| json!([{ "name": context, key: value }]);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": named("cluster", json!({
            "server": server,
            "certificate-authority-data": STANDARD.encode(ca),
        })),
        "users": named("user", user),
        "contexts": named("context", json!({ "cluster": context, "user": context })),
        "current-context": context,
    });
    format!("{config:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kube_reads_what_is_written() {
        let text = render("x", "https://127.0.0.1:1", "CA", &Credential::Token("abc"));
        let parsed = kube::config::Kubeconfig::from_yaml(&text).unwrap();
        assert_eq!(parsed.current_context.as_deref(), Some("podid-lab-x"));
        let server = parsed.clusters[0]
            .cluster
            .as_ref()
            .unwrap()
            .server
            .as_deref();
        assert_eq!(server, Some("https://127.0.0.1:1"));
    }
}
