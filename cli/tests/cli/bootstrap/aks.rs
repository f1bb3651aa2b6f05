//! The facts from files of `az`.

use podid::Exit;
use serde_json::Value;
use tempfile::TempDir;

use super::fixture::{Bare, CLIENT, KUBELET, SUBSCRIPTION, TENANT, file};
use crate::fixture::podid;

#[test]
fn an_aks_cluster_brings_its_facts_and_flags_go_before_them() {
    let folder = TempDir::new().unwrap();
    let aks = file(&folder, "aks.json", include_str!("aks.json"));
    let account = file(
        &folder,
        "account.json",
        &format!("{{\"tenantId\": \"{TENANT}\"}}"),
    );
    let bare = Bare::synced();
    let ran = podid(&[
        "bootstrap",
        "git",
        "--repo",
        bare.path(),
        "--cluster-path=clusters/prod-1",
        "--from-aks",
        &aks,
        "--account",
        &account,
        "--client-id",
        CLIENT,
        "--chart=oci://registry.example.org/podid",
        "--resource-group=identities",
    ]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let class = bare.yaml("classes/class.yaml");
    assert_eq!(
        class["spec"],
        serde_json::json!({
            "clusterName": "shop-prod",
            "tenantId": TENANT,
            "subscriptionId": SUBSCRIPTION,
            "resourceGroup": "identities",
            "location": "westeurope",
            "nodeResourceGroup": "MC_shop_shop-prod_westeurope",
            "nodeGrants": {"principalId": KUBELET},
        })
    );
    let data = &bare.yaml("facts.yaml")["data"];
    assert_eq!(
        data["podid_oidc_issuer"],
        "https://westeurope.oic.prod-aks.azure.com/t/i/"
    );
}

#[test]
fn what_an_aks_file_lacks_is_named() {
    let folder = TempDir::new().unwrap();
    let whole: Value = serde_json::from_str(include_str!("aks.json")).unwrap();
    let bare = Bare::synced();
    let run = |text: &str| {
        let aks = file(&folder, "aks.json", text);
        podid(&[
            "bootstrap",
            "git",
            "--repo",
            bare.path(),
            "--cluster-path=c",
            "--from-aks",
            &aks,
            "--client-id",
            CLIENT,
            "--chart=oci://r.example.org/podid",
        ])
    };
    for field in ["id", "name", "location", "nodeResourceGroup"] {
        let mut part = whole.clone();
        part.as_object_mut().unwrap().remove(field);
        let ran = run(&part.to_string());
        assert_eq!(ran.exit, Exit::Failed, "{field}");
        assert!(ran.err.contains(&format!("has no {field}")), "{}", ran.err);
    }
    for (text, words) in [
        ("[]", "is not what `az aks show"),
        ("", "is not what `az aks show"),
        ("{\"id\": \"/subscriptions/s\"}", "not that of a cluster"),
    ] {
        let ran = run(text);
        assert_eq!(ran.exit, Exit::Failed, "{text}");
        assert!(ran.err.contains(words), "{}", ran.err);
    }
    let ran = run(&whole.to_string());
    assert!(ran.err.contains("the tenant is not known"), "{}", ran.err);
}
