//! The operator writes its assignment records, and no other ConfigMap: the daemon's settings are beside them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::fixture::{Space, eventually, refusal};

const NAMESPACE: &str = "podid-system";
const OPERATOR: &str = "system:serviceaccount:podid-system:podid-operator";

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("a".to_owned(), "b".to_owned())])),
        ..ConfigMap::default()
    }
}

#[tokio::test]
async fn the_operator_writes_no_config_map_but_its_records() {
    let space = Space::new("records").await;
    let people: Api<ConfigMap> = Api::namespaced(space.client.clone(), NAMESPACE);
    let operator = space.as_user(OPERATOR).await;
    let operator: Api<ConfigMap> = Api::namespaced(operator.client.clone(), NAMESPACE);
    let settings = format!("settings-{}", space.name);
    let create = PostParams::default();
    people
        .create(&create, &config_map(&settings))
        .await
        .unwrap();

    let change =
        json!({"data": {"a": "c"}, "metadata": {"labels": {"podid.dev/ledger": "machine"}}});
    let change = Patch::Merge(&change);
    let dry_run = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    // A new cluster knows the policy some seconds after it is installed.
    let refused = async || operator.patch(&settings, &dry_run, &change).await.err();
    let message = refusal(eventually("the policy", refused).await).message;
    assert!(
        message.contains("no ConfigMap but its assignment records"),
        "{message}"
    );
    let deleted = operator.delete(&settings, &DeleteParams::default()).await;
    assert_eq!(refusal(deleted.unwrap_err()).code, 403);
    let another = format!("another-{}", space.name);
    let created = operator.create(&create, &config_map(&another)).await;
    assert!(created.is_err(), "only records are created");
    people
        .patch(&settings, &dry_run, &change)
        .await
        .expect("the administrator may");

    let record = format!("podid-ledger-{}", space.name);
    let apply = PatchParams::apply("podid-operator");
    let mut applied = config_map(&record);
    applied.metadata.labels = Some([("podid.dev/ledger".to_owned(), "machine".to_owned())].into());
    let applied = Patch::Apply(&applied);
    operator
        .patch(&record, &apply, &applied)
        .await
        .expect("its own");
    operator
        .delete(&record, &DeleteParams::default())
        .await
        .expect("its own");
    people
        .delete(&settings, &DeleteParams::default())
        .await
        .unwrap();
}
