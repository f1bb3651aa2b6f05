//! Java in a pod. It reads neither `SSL_CERT_FILE` nor the system's bundle of certificates.

use std::process::Command;

use podid_lab::Target;
use serde_json::json;

use super::space::{Space, lab};

#[tokio::test]
async fn java_in_a_pod_trusts_the_simulated_azure() {
    assert!(
        Command::new("java").arg("-version").output().is_ok(),
        "this test runs a real Java: install a JDK, 11 or newer"
    );
    let space = Space::new().await;
    space.ready_pod("app", json!({})).await;
    let pod = Target::pod(&space.namespace, "app");
    let url = "https://management.azure.com/subscriptions?api-version=2022-12-01";
    let output = lab()
        .command(&pod, ["java", "tests/workloads/Ask.java", url])
        .output()
        .unwrap();
    // Trusted, and asked who calls.
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "401\n",
        "{output:?}"
    );
}
