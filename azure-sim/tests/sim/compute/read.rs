//! Reading VMs, scale sets and instances.

use azure_sim::{Options, Seed};
use reqwest::Method;
use serde_json::json;

use crate::harness::{Lab, SUB, identity, pool, vm1};

fn at(id: &str) -> String {
    format!("{id}?api-version=2024-07-01")
}

#[tokio::test]
async fn instances_and_lists_show_what_is_there() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let all = arm
        .get(&at(&format!("{}/virtualMachines", pool())))
        .await
        .json();
    let names: Vec<_> = all["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["name"].clone())
        .collect();
    assert_eq!(names, ["pool1_0", "pool1_1"]);
    let one = arm
        .get(&at(&format!("{}/virtualMachines/1", pool())))
        .await
        .json();
    assert_eq!(one["properties"]["latestModelApplied"], true);
    assert_eq!(
        one["properties"]["osProfile"]["computerName"],
        "pool1000001"
    );
    assert_eq!(
        arm.get(&at(&format!("{}/virtualMachines/7", pool())))
            .await
            .status,
        404
    );
    let compute = format!("/subscriptions/{SUB}/resourceGroups/nodes/providers/Microsoft.Compute");
    for (kind, count) in [("virtualMachines", 1), ("virtualMachineScaleSets", 1)] {
        let list = arm.get(&at(&format!("{compute}/{kind}"))).await.json();
        assert_eq!(list["value"].as_array().unwrap().len(), count, "{kind}");
    }
    let upgrade = arm.request(Method::POST, &at(&format!("{}/manualupgrade", pool())));
    assert_eq!(
        upgrade
            .json(&json!({"instanceIds": ["*"]}))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn vms_of_a_flexible_scale_set_have_identities_of_their_own() {
    let seed = Seed::parse(
        r"
        scaleSets: [{name: flex, resourceGroup: nodes, orchestration: Flexible, identity: {userAssigned: [demo]}}]
        virtualMachines: [{name: flex_a, resourceGroup: nodes, scaleSet: flex}]
        identities: [{name: demo}]
        applications: [{name: operator, clientId: 30000000-0000-4000-8000-000000000001, secrets: [{value: operator-secret}]}]
        roleAssignments: [{principal: operator, role: Owner}]
        ",
        "test",
    )
    .unwrap();
    let lab = Lab::start(Options {
        seed,
        ..Options::default()
    })
    .await;
    let arm = lab.arm().await;
    let flex = pool().replace("pool1", "flex");
    let members = arm
        .get(&at(&format!("{flex}/virtualMachines")))
        .await
        .json();
    assert_eq!(
        members["value"][0]["properties"]["virtualMachineScaleSet"]["id"],
        flex
    );
    let vm = vm1().replace("vm1", "flex_a");
    let imds = lab.imds(&vm);
    assert_eq!(
        imds.token("").await.status,
        400,
        "the model's identity is not the VM's"
    );
    assert_eq!(arm.get(&identity("demo")).await.status, 200);
}
