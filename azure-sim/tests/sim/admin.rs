//! The admin API.

use serde_json::{Value, json};

use crate::harness::{Got, Lab, identity, instance};

struct Admin<'a>(&'a Lab);

impl Admin<'_> {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.sim.admin_addr())
    }

    async fn get(&self, path: &str) -> Value {
        Got::of(self.0.http.get(self.url(path)).send().await.unwrap())
            .await
            .json()
    }

    async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Got {
        Got::of(
            self.0
                .http
                .post(self.url(path))
                .body(body)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    async fn delete(&self, path: &str) -> u16 {
        self.0
            .http
            .delete(self.url(path))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }
}

#[tokio::test]
async fn calls_are_listed_counted_and_forgotten_without_their_tokens() {
    let lab = Lab::demo().await;
    let admin = Admin(&lab);
    let arm = lab.arm().await;
    arm.get(&identity("demo")).await;
    lab.imds(&instance(0)).token("").await;
    let calls = admin.get("/calls?operation=imds.*").await;
    assert_eq!(calls["calls"].as_array().unwrap().len(), 1);
    assert_eq!(calls["calls"][0]["resource"], instance(0).to_lowercase());
    assert!(calls["calls"][0]["principal"].is_string());
    assert_eq!(calls["calls"][0]["actions"], Value::Null);
    let calls = admin.get("/calls?operation=arm.identity.get").await;
    let read = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
    assert_eq!(calls["calls"][0]["actions"], json!([read]));
    let counters = admin.get("/counters").await;
    assert_eq!(counters["outcomes"]["arm.identity.get 200"], 1);
    let all = Got::of(lab.http.get(admin.url("/calls")).send().await.unwrap())
        .await
        .text;
    assert!(!all.contains("eyJ") && !all.contains("secret"), "{all}");
    assert_eq!(admin.delete("/calls").await, 204);
    assert_eq!(admin.get("/counters").await["total"], 0);
    assert!(
        admin.get("/calls?operation=nothing").await["error"]
            .as_str()
            .unwrap()
            .contains("arm.identity.get")
    );
}

#[tokio::test]
async fn faults_are_armed_listed_and_disarmed() {
    let lab = Lab::demo().await;
    let admin = Admin(&lab);
    let armed = admin
        .post(
            "/faults",
            r#"{"preset": "arm-throttle", "operation": "arm.vmss.*", "count": 5}"#,
        )
        .await;
    assert_eq!(armed.status, 201);
    let id = armed.json()["id"].clone();
    let custom = r#"{"operation": "imds.token", "seconds": 60, "effect": {"kind": "delay", "seconds": 0.001}}"#;
    assert_eq!(admin.post("/faults", custom).await.status, 201);
    lab.imds(&instance(0)).token("").await;
    let list = admin.get("/faults").await;
    assert_eq!(
        (&list["faults"][0]["operation"], &list["faults"][0]["count"]),
        (&json!("arm.vmss.*"), &json!(5))
    );
    assert_eq!(
        (&list["faults"][0]["struck"], &list["faults"][1]["struck"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(admin.delete(&format!("/faults/{id}")).await, 204);
    assert_eq!(admin.delete(&format!("/faults/{id}")).await, 404);
    assert_eq!(admin.delete("/faults").await, 204);
    assert_eq!(admin.get("/faults").await["faults"], json!([]));
    for wrong in [
        "",
        "{}",
        r#"{"preset": "nothing"}"#,
        r#"{"preset": "arm-throttle", "count": -1}"#,
        r#"{"operation": "arm.nothing", "effect": {"kind": "drop"}}"#,
        r#"{"operation": "*", "probability": 2, "effect": {"kind": "drop"}}"#,
        r#"{"operation": "*", "effect": {"kind": "explode"}}"#,
    ] {
        let got = admin.post("/faults", wrong).await;
        assert!(
            got.status == 400 && got.json()["error"].is_string(),
            "{wrong}: {}",
            got.text
        );
    }
}

#[tokio::test]
async fn every_preset_listed_can_be_armed_as_listed() {
    let lab = Lab::demo().await;
    let admin = Admin(&lab);
    let presets = admin.get("/faults/presets").await["presets"]
        .as_array()
        .unwrap()
        .clone();
    assert!(presets.len() >= 8);
    for preset in presets {
        assert_eq!(
            admin.post("/faults", preset.to_string()).await.status,
            201,
            "{preset}"
        );
        let by_name = json!({"preset": preset["name"]});
        assert_eq!(
            admin.post("/faults", by_name.to_string()).await.status,
            201,
            "{preset}"
        );
    }
}

#[tokio::test]
async fn a_seed_is_merged_whole_or_not_at_all() {
    let lab = Lab::demo().await;
    let admin = Admin(&lab);
    let more =
        "virtualMachines: [{name: vm2, resourceGroup: nodes, identity: {userAssigned: [demo]}}]";
    assert_eq!(admin.post("/seed", more).await.status, 204);
    let former_path = "/world";
    assert_eq!(admin.post(former_path, more).await.status, 204);
    let state = admin.get("/state").await;
    assert_eq!(state["virtualMachines"].as_array().unwrap().len(), 2);
    assert_eq!(
        state["scaleSets"][0]["instances"].as_array().unwrap().len(),
        2
    );
    let bad = r#"{"virtualMachines": [{"name": "vm3"}], "roleAssignments": [{"role": "King", "principal": "operator"}]}"#;
    let refused = admin.post("/seed", bad).await;
    assert!(
        refused.status == 400 && refused.text.contains("King"),
        "{}",
        refused.text
    );
    assert_eq!(
        admin.get("/state").await["virtualMachines"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    for (wrong, said) in [
        ("vms: []", "vms"),
        (
            "virtualMachines: [{name: a, adress: b}]",
            "virtualMachines.0.adress",
        ),
        ("virtualMachines: [{}]", "is no name"),
        (
            "scaleSets: [{name: a, instances: [{id: x}]}]",
            "instance `x`",
        ),
        ("identities: {", "the request is not a seed"),
    ] {
        let refused = admin.post("/seed", wrong).await;
        assert!(
            refused.status == 400 && refused.text.contains(said),
            "{wrong}: {}",
            refused.text
        );
    }
}

#[tokio::test]
async fn the_admin_api_refuses_requests_for_another_host_name() {
    let lab = Lab::demo().await;
    let admin = Admin(&lab);
    let got = lab
        .http
        .get(admin.url("/state"))
        .header("Host", "evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(got.status(), 403);
    assert!(
        admin.get("/nothing").await["error"]
            .as_str()
            .unwrap()
            .contains("/calls")
    );
}
