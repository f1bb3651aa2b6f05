//! The simulated Azure of a lab, as podid's own client has it.

use std::process::Command;
use std::sync::Arc;

use podid_azure::{
    Arm, AzureCloud, Credential, CredentialOptions, Endpoints, OpenGate, Transport,
    TransportOptions,
};
use podid_lab::Lab;
use podid_lab::layout::{OPERATOR_CLIENT_ID, TENANT};
use serde_json::Value;

/// Signed in as the operator is.
///
/// # Panics
/// When the lab does not give what is needed for that.
#[must_use]
#[allow(clippy::expect_used)]
pub fn as_operator(lab: &Lab) -> Arm {
    let ports = lab.endpoints();
    let url = |port: u16| format!("https://127.0.0.1:{port}");
    let endpoints = Endpoints::of(AzureCloud::Public)
        .with_arm(&url(ports.arm))
        .and_then(|endpoints| endpoints.with_authority(&url(ports.entra)))
        .expect("addresses");
    let extra_ca_file = Some(lab.dir().ca_bundle());
    let options = TransportOptions {
        extra_ca_file,
        ..TransportOptions::default()
    };
    let transport = Transport::new(&options).expect("a transport");
    let token = lab.service_account_token(
        "podid-system",
        "podid-operator",
        "api://AzureADTokenExchange",
    );
    let credential = CredentialOptions::WorkloadIdentity {
        tenant_id: TENANT.to_owned(),
        client_id: OPERATOR_CLIENT_ID.to_owned(),
        token_file: token.expect("a token"),
    };
    let credential = Credential::new(credential, &endpoints, &transport).expect("a credential");
    Arm::new(endpoints, transport, credential, Arc::new(OpenGate))
}

/// What the simulated Azure answers at a path of its admin API, which nothing of podid uses.
///
/// # Panics
/// When it does not answer with success.
#[must_use]
#[allow(clippy::expect_used)]
pub fn admin(lab: &Lab, method: &str, path: &str) -> Value {
    let url = format!("{}{path}", lab.sim_admin_url().trim_end_matches('/'));
    let output = Command::new("curl")
        .args(["-sS", "-f", "--noproxy", "*", "--max-time", "10"])
        .args(["-X", method, &url])
        .output()
        .expect("curl starts");
    assert!(output.status.success(), "{url}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// Calls since those were forgotten, as operation and resource.
#[must_use]
pub fn calls(lab: &Lab) -> Vec<(String, String)> {
    let answer = admin(lab, "GET", "/calls");
    let calls = answer["calls"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let words = calls.map(|call| (text(&call["operation"]), text(&call["resource"])));
    words.collect()
}

/// Calls since those were forgotten that write to Azure Resource Manager, as operations.
#[must_use]
pub fn writes(lab: &Lab) -> Vec<String> {
    let is_write = |operation: &String| {
        let is_read = [".get", ".list"]
            .iter()
            .any(|read| operation.ends_with(read));
        operation.starts_with("arm.") && !is_read
    };
    let operations = calls(lab).into_iter().map(|(operation, _)| operation);
    operations.filter(is_write).collect()
}

/// Forgets the calls so far.
pub fn forget_calls(lab: &Lab) {
    let _ = admin(lab, "DELETE", "/calls");
}
