//! The admission policies of the components that narrow which AzureIdentities people may write.

use kube::api::{DeleteParams, Patch, PatchParams};
use podid_core::binding::{HandWrittenLimits, LegacyIdentities};
use podid_crds::aadpodidentity::AzureIdentity;
use podid_crds::podid::PodIdentityClass;
use podid_tests::pages::page;
use serde_json::{Value, json};

use crate::cases;
use crate::fixture::{Space, eventually, refusal};

const OPERATOR: &str = "system:serviceaccount:podid-system:podid-operator";
const POLICIES: [&str; 2] = [
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// A namespace in which the policy of a component holds, and in no other.
struct Door {
    space: Space,
}

impl Door {
    async fn of(component: &str) -> Self {
        let space = Space::new("legacy").await;
        let door = Self { space };
        for (kind, file) in POLICIES.into_iter().zip(["policy", "binding"]) {
            let text = page(&format!("kustomize/components/{component}/{file}.yaml"));
            let mut object: Value = serde_saphyr::from_str(&text).unwrap();
            object["metadata"]["name"] = door.space.name.clone().into();
            if kind == POLICIES[1] {
                object["spec"]["policyName"] = door.space.name.clone().into();
                let own = json!({"matchLabels": {"kubernetes.io/metadata.name": door.space.name}});
                object["spec"]["matchResources"] = json!({"namespaceSelector": own});
            }
            let apply = PatchParams::apply("test");
            let name = &door.space.name;
            let api = door.space.api(kind);
            api.patch(name, &apply, &Patch::Apply(&object))
                .await
                .unwrap();
        }
        door
    }

    /// Whether somebody may write an AzureIdentity.
    async fn says(&self, who: &Space, object: &Value) -> Result<(), String> {
        let written = who.create("AzureIdentity", object.clone(), true).await;
        written.map(|_| ())
    }

    async fn close(&self) {
        for kind in POLICIES {
            let api = self.space.api(kind);
            api.delete(&self.space.name, &DeleteParams::default())
                .await
                .unwrap();
        }
    }
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
    let door = Door::of("no-legacy-identities").await;
    let space = &door.space;
    let object = identity(&id("s", "g", "i"), None);
    let refused = async || door.says(space, &object).await.err();
    let said = eventually("the policy", refused).await;
    assert!(
        said.contains("write a PodIdentityProfile that adopts"),
        "{said}"
    );
    let operator = space.as_user(OPERATOR).await;
    door.says(&operator, &object).await.unwrap();
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
    door.close().await;
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
    let door = Door::of("legacy-within-class").await;
    let space = &door.space;
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
    let refused = async || door.says(space, &theirs).await.err();
    eventually("the policy", refused).await;

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
                    let said = door.says(space, &object).await;
                    match (said, found(space, &object, &classes)) {
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
    door.says(space, &early).await.unwrap();
    for name in &names {
        space.remove_class(name).await;
    }
    door.close().await;
}
