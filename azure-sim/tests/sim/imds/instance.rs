//! Instance metadata.

use serde_json::json;

use crate::harness::{Lab, TENANT, instance};

#[tokio::test]
async fn instance_metadata_describes_the_vm() {
    let lab = Lab::demo().await;
    let imds = lab.imds(&instance(1));
    let all = imds
        .get("/metadata/instance?format=json&api-version=2021-10-01")
        .await
        .json();
    assert_eq!(all["compute"]["name"], "pool1_1");
    assert_eq!(all["compute"]["vmScaleSetName"], "pool1");
    assert_eq!(all["compute"]["resourceId"], instance(1));
    assert_eq!(all["compute"]["osProfile"]["computerName"], "pool1000001");
    let address = "/metadata/instance/network/interface/0/ipv4/ipAddress/0/privateIpAddress";
    let text = imds
        .get(&format!("{address}?api-version=2017-08-01&format=text"))
        .await;
    assert_eq!(
        (text.text.as_str(), text.header("content-type")),
        ("10.200.0.11", "text/plain; charset=utf-8")
    );
    assert_eq!(
        imds.get(&format!("{address}?api-version=2017-08-01"))
            .await
            .status,
        400,
        "a leaf is text"
    );
    let names = imds
        .get("/metadata/instance?api-version=2021-10-01&format=text")
        .await;
    assert_eq!(names.text, "compute/\nnetwork/");
    assert_eq!(
        imds.get("/metadata/instance/nothing?api-version=2021-10-01")
            .await
            .status,
        404
    );
    assert!(
        imds.get("/metadata/versions").await.json()["apiVersions"]
            .as_array()
            .unwrap()
            .len()
            > 30
    );
    let info = imds
        .get("/metadata/identity/info?api-version=2018-02-01")
        .await;
    assert_eq!(info.json(), json!({"tenantId": TENANT}));
    assert_eq!(
        imds.get("/metadata/loadbalancer?api-version=2020-10-01")
            .await
            .status,
        404
    );
    assert_eq!(imds.get("/latest/meta-data/").await.status, 404);
}

#[tokio::test]
async fn an_unknown_vm_has_no_metadata_service() {
    let lab = Lab::demo().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = lab.sim.serve_imds(&instance(9), listener);
    assert!(refused.is_err_and(|e| e.to_string().contains("virtualMachines/9")));
}
