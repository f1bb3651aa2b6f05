//! The objects of podid's kinds in the pages of docs/, which the API server must admit as they stand there.

use std::fs;

use podid_tests::manifests::objects;
use podid_tests::programs::repository;
use serde_json::Value;

use crate::fixture::Space;

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
    let blocks = text.split("\n```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("\n```").next());
    let objects = blocks.flat_map(objects);
    let is_known = |object: &Value| {
        object["kind"]
            .as_str()
            .is_some_and(|kind| KINDS.contains(&kind))
    };
    objects.filter(is_known).collect()
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
