//! The objects of podid's kinds in the pages of docs/, which the API server must admit as they stand there.

use std::fs;

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, Patch, PatchParams, PostParams};
use podid_tests::manifests::objects;
use podid_tests::programs::repository;
use serde_json::{Value, json};

use crate::fixture::{Space, eventually};

/// Kinds that pages show whole.
const KINDS: [&str; 6] = [
    "AzureIdentity",
    "AzureIdentityBinding",
    "AzurePodIdentityException",
    "Pod",
    "PodIdentityClass",
    "PodIdentityProfile",
];

/// The objects of these kinds in a page.
fn of_page(text: &str) -> Vec<Value> {
    let objects = all_of_page(text);
    let is_known = |object: &Value| {
        object["kind"]
            .as_str()
            .is_some_and(|kind| KINDS.contains(&kind))
    };
    objects.into_iter().filter(is_known).collect()
}

/// The objects in a page.
fn all_of_page(text: &str) -> Vec<Value> {
    let blocks = text.split("\n```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("\n```").next());
    blocks.flat_map(objects).collect()
}

#[tokio::test]
async fn the_objects_of_the_pages_are_admitted() {
    let space = Space::new("pages").await;
    let mut admitted = 0;
    for entry in fs::read_dir(repository().join("docs")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|end| end != "md") {
            continue;
        }
        for mut object in of_page(&fs::read_to_string(&file).unwrap()) {
            let kind = object["kind"].as_str().unwrap().to_owned();
            object["metadata"]
                .as_object_mut()
                .unwrap()
                .remove("namespace");
            let answer = space.create(&kind, object, true).await;
            assert!(answer.is_ok(), "{}: {kind}: {answer:?}", file.display());
            admitted += 1;
        }
    }
    assert!(admitted > 10, "{admitted}");
}

#[tokio::test]
async fn the_quota_of_the_page_bounds_the_profiles_of_a_namespace() {
    let space = Space::new("quota").await;
    let page = fs::read_to_string(repository().join("docs/profiles.md")).unwrap();
    let is_quota = |object: &Value| object["kind"] == "ResourceQuota";
    let mut quota = all_of_page(&page)
        .into_iter()
        .find(is_quota)
        .expect("a quota");
    quota["metadata"]["namespace"] = space.name.clone().into();
    let hard = quota["spec"]["hard"].as_object().unwrap().clone();
    assert_eq!(hard.len(), 1, "{hard:?}");
    let resource = hard.keys().next().unwrap().as_str();
    quota["spec"]["hard"][resource] = "2".into();
    let quotas: Api<ResourceQuota> = Api::namespaced(space.client.clone(), &space.name);
    let made: ResourceQuota = serde_json::from_value(quota.clone()).unwrap();
    quotas.create(&PostParams::default(), &made).await.unwrap();
    // Counting what is there already is the work of a controller that the lab of this ring has none of.
    let counted = json!({"status": {"hard": quota["spec"]["hard"], "used": {resource: "0"}}});
    let counted = Patch::Merge(counted);
    quotas
        .patch_status("profiles", &PatchParams::default(), &counted)
        .await
        .unwrap();
    let profile = async |name: &str| {
        let object = json!({
            "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
            "metadata": {"name": name}, "spec": {"className": "standard"},
        });
        space.create("PodIdentityProfile", object, false).await
    };
    let mut number = 0;
    let refused = eventually("the quota", async || {
        number += 1;
        profile(&format!("p{number}")).await.err()
    });
    let refused = refused.await;
    assert!(refused.contains("exceeded quota: profiles"), "{refused}");
    assert!(number > 2, "{number}");
}
