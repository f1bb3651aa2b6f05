//! Instance metadata.

use std::net::IpAddr;

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

#[tokio::test]
async fn one_socket_answers_each_client_for_the_vm_that_it_is_on() {
    let lab = Lab::demo().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = |client: IpAddr| match client {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(_) => 0,
    };
    // The client at 127.0.0.N is on instance N - 2; the one at 127.0.0.1 is on none.
    let vm_of = move |client| number(client).checked_sub(2).map(u32::from).map(instance);
    let address = lab.sim.serve_imds_of_many(listener, vm_of).unwrap();
    let url = format!(
        "http://{address}/metadata/instance/compute/resourceId?api-version=2021-02-01&format=text"
    );
    let ask = async |from: u8| {
        let client = reqwest::Client::builder()
            .no_proxy()
            .local_address(IpAddr::from([127, 0, 0, from]));
        let request = client.build().unwrap().get(&url).header("Metadata", "true");
        request.send().await?.text().await
    };
    for number in [0, 1] {
        assert_eq!(ask(number + 2).await.unwrap(), instance(number.into()));
    }
    assert!(ask(1).await.is_err(), "on no VM");
    assert!(ask(11).await.is_err(), "there is no instance 9");
}
