//! The environment of programs in the lab.

use std::collections::BTreeMap;

use crate::layout::{API_SERVER_PORT, CONTROL_PLANE};
use crate::state::StateDir;

/// Environment of every program in the lab, wherever it runs.
pub(super) fn program(dir: &StateDir) -> BTreeMap<String, String> {
    let bundle = dir.ca_bundle().to_string_lossy().into_owned();
    let mut env = BTreeMap::new();
    // One variable per family of TLS stacks: OpenSSL, Go and rustls; Python
    // requests; curl with other stacks; Node.js.
    for name in [
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
    ] {
        env.insert(name.to_owned(), bundle.clone());
    }
    // Java, whatever starts it.
    env.insert(
        "JAVA_TOOL_OPTIONS".to_owned(),
        format!("-Djavax.net.ssl.trustStore={}", dir.trust_store().display()),
    );
    // Nothing in a lab can reach the caller's proxy.
    for name in ["NO_PROXY", "no_proxy"] {
        env.insert(name.to_owned(), "*".to_owned());
    }
    env.insert(
        "KUBERNETES_SERVICE_HOST".to_owned(),
        CONTROL_PLANE.to_string(),
    );
    let port = API_SERVER_PORT.to_string();
    env.insert("KUBERNETES_SERVICE_PORT".to_owned(), port);
    env
}

/// Environment of a supervised program: that of every program, and of the
/// caller's own only where programs are and as whom it runs.
pub(super) fn service(dir: &StateDir) -> BTreeMap<String, String> {
    let mut env = program(dir);
    for name in ["PATH", "HOME", "USER", "LANG"] {
        if let Ok(value) = std::env::var(name) {
            env.insert(name.to_owned(), value);
        }
    }
    // Files they leave there are removed with the lab.
    env.insert(
        "TMPDIR".to_owned(),
        dir.file("tmp").to_string_lossy().into_owned(),
    );
    env
}
