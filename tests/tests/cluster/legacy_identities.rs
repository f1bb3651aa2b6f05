//! The admission policies of the components that narrow which AzureIdentities people may write.

use kube::api::{Patch, PatchParams};
use podid_core::binding::{HandWrittenLimits, LegacyIdentities};
use podid_crds::aadpodidentity::AzureIdentity;
use podid_crds::podid::PodIdentityClass;
use serde_json::{Value, json};

use crate::added_policies::{NO_LEGACY_IDENTITIES, WITHIN_CLASS};
use crate::cases;
use crate::fixture::{Space, eventually, refusal};

const OPERATOR: &str = "system:serviceaccount:podid-system:podid-operator";

/// Whether somebody may write an AzureIdentity.
async fn says(who: &Space, object: &Value) -> Result<(), String> {
    let written = who.create("AzureIdentity", object.clone(), true).await;
    written.map(|_| ())
}

fn identity(id: &str, class: Option<&str>) -> Value {
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
        "metadata": {"name": "id", "annotations": class.map(|name| json!({"podid.dev/class": name}))},
        "spec": {"type": 0, "resourceID": id, "clientID": "c11e2700-0000-4000-8000-000000000001"},
    })
}

fn id(subscription: &str, group: &str, name: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    )
}

#[tokio::test]
async fn where_none_is_served_only_the_operator_writes_one() {
    let space = Space::under(NO_LEGACY_IDENTITIES).await;
    let object = identity(&id("s", "g", "i"), None);
    let said = says(&space, &object).await.expect_err("by hand");
    assert!(
        said.contains("write a PodIdentityProfile that adopts"),
        "{said}"
    );
    let operator = space.as_user(OPERATOR).await;
    says(&operator, &object).await.unwrap();
    operator
        .create("AzureIdentity", object, false)
        .await
        .unwrap();
    let patch = async |change: Value| {
        let dry = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        let api = space.api("AzureIdentity");
        let answer = api.patch("id", &dry, &Patch::Merge(change)).await;
        answer.map(|_| ()).map_err(|error| refusal(error).message)
    };
    patch(json!({"metadata": {"labels": {"a": "b"}}}))
        .await
        .unwrap();
    let other = json!({"spec": {"resourceID": id("s", "g", "other")}});
    patch(other).await.expect_err("another identity by hand");
}

/// What the operator says of the same object.
fn found(space: &Space, object: &Value, classes: &[PodIdentityClass]) -> Option<String> {
    let object: AzureIdentity = serde_json::from_value(object.clone()).unwrap();
    let mut identity = podid_crds::convert::identity(&object).unwrap();
    identity.namespace.clone_from(&space.name);
    let classes: Vec<_> = classes.iter().map(podid_crds::convert::class).collect();
    let class = classes
        .iter()
        .find(|class| Some(&class.name) == identity.class.as_ref());
    let limits = HandWrittenLimits {
        served: LegacyIdentities::WithinClass,
        class,
        ..HandWrittenLimits::ANY
    };
    limits.refusal(&identity).map(|failure| failure.message)
}

#[tokio::test]
async fn within_a_class_the_policy_and_the_operator_say_the_same() {
    let space = Space::under(WITHIN_CLASS).await;
    let own = "0a1b2c3d-1111-2222-3333-0123456789ab";
    let mut classes = Vec::new();
    for (name, names, groups) in [
        (
            "open",
            json!([space.name]),
            json!(["/subscriptions/s/resourceGroups/legacy"]),
        ),
        ("all", json!(["*"]), json!([])),
        (
            "other",
            json!(["elsewhere"]),
            json!(["/subscriptions/s/resourceGroups/legacy"]),
        ),
    ] {
        let limits = json!({"namespaces": {"names": names}, "identityGroups": groups});
        let spec = cases::class(json!({"subscriptionId": own, "limits": limits}));
        let name = space.class(name, spec.clone()).await;
        classes.push(PodIdentityClass::new(
            &name,
            serde_json::from_value(spec).unwrap(),
        ));
    }
    let names: Vec<String> = classes
        .iter()
        .filter_map(|class| class.metadata.name.clone())
        .collect();
    let theirs = identity(&id("s", "g", "i"), Some(&names[2]));
    let refused = async || says(&space, &theirs).await.err();
    eventually("the policy knowing the classes", refused).await;

    let (mut allowed, mut forbidden) = (0, 0);
    let named = names.iter().map(|name| Some(name.as_str()));
    for class in named.chain([None]) {
        for (subscription, group) in [
            (own, "identities"),
            (own, "IDENTITIES"),
            ("s", "legacy"),
            ("s", "legacy2"),
            ("s", ".."),
            ("s", "a b"),
        ] {
            for (name, kind) in [
                ("i", 0),
                ("..", 0),
                ("a%2f", 0),
                ("a?b", 0),
                ("i ", 0),
                ("i", 1),
            ] {
                for spelling in ["resourceID", "ResourceID"] {
                    let mut object = identity(&id(subscription, group, name), class);
                    object["spec"]["type"] = kind.into();
                    let id = object["spec"]["resourceID"].take();
                    object["spec"].as_object_mut().unwrap().remove("resourceID");
                    object["spec"][spelling] = id;
                    let said = says(&space, &object).await;
                    match (said, found(&space, &object, &classes)) {
                        (Ok(()), None) => allowed += 1,
                        (Err(said), Some(found)) => {
                            assert!(said.contains(&found), "{said} is not {found}");
                            forbidden += 1;
                        }
                        (said, found) => panic!("{object}: {said:?}, but {found:?}"),
                    }
                }
            }
        }
    }
    assert!(allowed >= 8 && forbidden >= 100, "{allowed} {forbidden}");
    // An object may come before its class.
    let later = format!("{}-later", space.name);
    let early = identity(&id("s", "g", "i"), Some(&later));
    says(&space, &early).await.unwrap();
    for name in &names {
        space.remove_class(name).await;
    }
}
