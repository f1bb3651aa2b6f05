//! Pruning, defaulting, rules, columns and statuses of the kinds.

use kube::api::{ListParams, Patch, PatchParams};
use podid_crds::check;
use serde_json::{Value, json};

use crate::cases::{self, class, profile};
use crate::fixture::{Space, refusal};

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let group = if kind.starts_with("Pod") {
        "podid.dev/v1alpha1"
    } else {
        "aadpodidentity.k8s.io/v1"
    };
    json!({"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// Weakness 45 of the predecessor: any object was taken, also of type 7 or without a client id, and ignored later.
#[tokio::test]
async fn good_objects_are_taken_and_bad_ones_refused_with_the_reason() {
    let space = Space::new("rules").await;
    for (index, case) in cases::all().into_iter().enumerate() {
        let name = format!("{}-{index}", case.name);
        let object = object(case.kind, &name, &case.spec);
        let answer = space.create(case.kind, object.clone(), true).await;
        let offline = check::object(&object).unwrap();
        let what = format!("{} {name} {}", case.kind, case.spec);
        match case.refused {
            None => {
                answer.unwrap_or_else(|message| panic!("{what}: {message}"));
                assert_eq!(offline, [], "{what}: the offline check refuses it");
            }
            Some(words) => {
                let message = answer.expect_err(&what);
                assert!(
                    message.contains(words),
                    "{what}: {words:?} is not in: {message}"
                );
                assert!(!offline.is_empty(), "{what}: the offline check takes it");
            }
        }
    }
}

#[test]
fn every_rule_of_every_kind_has_a_bad_object() {
    let cases = cases::all();
    let mut rules = 0;
    for manifest in podid_crds::manifests::manifests().unwrap() {
        let definition: Value = serde_saphyr::from_str(&manifest.content).unwrap();
        let kind = &definition["spec"]["names"]["kind"];
        for message in messages(&definition) {
            rules += 1;
            let hit = |case: &&cases::Case| {
                case.refused
                    .is_some_and(|words| *kind == case.kind && message.contains(words))
            };
            assert!(
                cases.iter().any(|case| hit(&case)),
                "no bad {kind} for: {message}"
            );
        }
    }
    assert!(rules > 15, "only {rules} rules were found");
}

/// The messages of all rules below `value`.
fn messages(value: &Value) -> Vec<String> {
    let rules = value["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten();
    let own = rules.filter_map(|rule| rule["message"].as_str().map(str::to_owned));
    let below: Vec<String> = match value {
        Value::Object(fields) => fields.values().flat_map(messages).collect(),
        Value::Array(items) => items.iter().flat_map(messages).collect(),
        _ => Vec::new(),
    };
    own.chain(below).collect()
}

#[tokio::test]
async fn defaults_are_few_and_a_new_object_is_in_progress() {
    let space = Space::new("defaults").await;
    let new = object(
        "PodIdentityProfile",
        "p",
        &profile(json!({"binding": null})),
    );
    let made = space
        .create("PodIdentityProfile", new, false)
        .await
        .unwrap();
    let spec = json!({"className": "standard", "netRaw": "Enforce", "drift": "Enforce"});
    assert_eq!(made["spec"], spec);
    assert_eq!(made["status"], json!({"observedGeneration": -1}));

    let grants = json!({"nodeGrants": {"principalId": "0a1b2c3d-1111-2222-3333-0123456789ab"}});
    let new = object("PodIdentityClass", &space.name, &class(grants));
    let made = space.create("PodIdentityClass", new, false).await.unwrap();
    assert_eq!(made["spec"]["cloud"], "AzurePublicCloud");
    assert_eq!(made["spec"]["defaultBackend"], "NodeAssigned");
    assert_eq!(
        made["spec"]["nodeGrants"]["managedIdentityOperator"],
        "Identity"
    );
    assert_eq!(
        made["spec"]["nodeGrants"]["virtualMachineContributor"],
        "NodeResourceGroup"
    );
    assert_eq!(made["spec"].get("limits"), None);
    assert_eq!(made["status"], json!({"observedGeneration": -1}));
}

#[tokio::test]
async fn unknown_fields_are_pruned_from_every_kind() {
    let space = Space::new("pruning").await;
    let guid = "0a1b2c3d-1111-2222-3333-0123456789ab";
    let specs = [
        (
            "PodIdentityProfile",
            profile(json!({"extra": 1, "binding": {"extra": 1}})),
        ),
        (
            "PodIdentityClass",
            class(json!({"extra": 1, "limits": {"extra": 1}})),
        ),
        (
            "AzureIdentity",
            json!({"type": 1, "clientID": guid, "extra": 1, "metadata": {"a": 1}}),
        ),
        (
            "AzureIdentityBinding",
            json!({"azureIdentity": "a", "selector": "s", "extra": 1}),
        ),
        ("AzureAssignedIdentity", json!({"pod": "p", "extra": 1})),
        (
            "AzurePodIdentityException",
            json!({"podLabels": {"a": "b"}, "extra": 1}),
        ),
    ];
    for (kind, spec) in specs {
        let made = space
            .create(kind, object(kind, "pruned", &spec), true)
            .await
            .unwrap();
        let text = made["spec"].to_string();
        // The predecessor's embedded metadata is known, and always empty.
        let metadata = made["spec"].get("metadata").unwrap_or(&Value::Null);
        let empty = metadata.is_null() || *metadata == json!({});
        assert!(!text.contains("extra") && empty, "{kind}: {text}");
    }
}

/// As Flux applies files.
#[tokio::test]
async fn an_unknown_field_is_refused_in_a_server_side_apply() {
    let space = Space::new("apply").await;
    let misspelt = object("PodIdentityProfile", "p", &profile(json!({"acess": []})));
    let params = PatchParams::apply("kustomize-controller").force();
    let answer = space
        .api("PodIdentityProfile")
        .patch("p", &params, &Patch::Apply(&misspelt))
        .await;
    let message = refusal(answer.unwrap_err()).message;
    assert!(
        message.contains(".spec.acess: field not declared in schema"),
        "{message}"
    );
    let offline = check::object(&misspelt).unwrap();
    assert_eq!(offline.len(), 1, "{offline:?}");
    assert_eq!(offline[0].field, "spec.acess");
}

/// The predecessor's clients write the metadata that their types embed, and check strictly.
#[tokio::test]
async fn embedded_metadata_of_the_predecessor_is_known() {
    for kind in [
        "AzureIdentity",
        "AzureIdentityBinding",
        "AzureAssignedIdentity",
        "AzurePodIdentityException",
    ] {
        let manifests = podid_crds::manifests::manifests().unwrap();
        let schema = manifests
            .iter()
            .map(|manifest| serde_saphyr::from_str::<Value>(&manifest.content).unwrap())
            .find(|crd| crd["spec"]["names"]["kind"] == kind)
            .unwrap();
        let schema = &schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        for part in ["spec", "status"] {
            assert_eq!(
                schema[part]["properties"]["metadata"]["type"], "object",
                "{kind}.{part}"
            );
        }
    }
}

#[tokio::test]
async fn status_of_our_kinds_is_a_subresource_that_merges_conditions_by_type() {
    let space = Space::new("status").await;
    let mut new = object("PodIdentityProfile", "p", &profile(json!({})));
    new["status"] = json!({"boundPods": 7});
    let made = space
        .create("PodIdentityProfile", new, false)
        .await
        .unwrap();
    assert_eq!(
        made["status"].get("boundPods"),
        None,
        "status is not written with the spec"
    );

    let api = space.api("PodIdentityProfile");
    for kind in ["Ready", "IdentityReady"] {
        let mut patch = object("PodIdentityProfile", "p", &json!({"className": "other"}));
        patch["status"] = json!({"conditions": [{
            "type": kind, "status": "True", "reason": "Tested", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]});
        let manager = PatchParams::apply(&format!("manager-of-{kind}")).force();
        api.patch_status("p", &manager, &Patch::Apply(&patch))
            .await
            .unwrap();
    }
    let now = serde_json::to_value(api.get("p").await.unwrap()).unwrap();
    assert_eq!(
        now["spec"]["className"], "standard",
        "the spec is not written with the status"
    );
    assert_eq!(
        now["status"]["conditions"].as_array().map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn repeated_access_is_refused() {
    let space = Space::new("lists").await;
    let rule = json!({"role": "Reader", "scope": "/subscriptions/s"});
    let twice = object(
        "PodIdentityProfile",
        "twice",
        &profile(json!({"access": [rule, rule]})),
    );
    let message = space
        .create("PodIdentityProfile", twice, true)
        .await
        .unwrap_err();
    assert!(message.contains("Duplicate value"), "{message}");
}

#[tokio::test]
async fn profiles_are_selected_by_class() {
    let space = Space::new("selected").await;
    for class in ["gold", "iron"] {
        let new = object("PodIdentityProfile", class, &json!({"className": class}));
        space
            .create("PodIdentityProfile", new, false)
            .await
            .unwrap();
    }
    let by_class = ListParams::default().fields("spec.className=gold");
    let found = space
        .api("PodIdentityProfile")
        .list(&by_class)
        .await
        .unwrap();
    let names: Vec<_> = found
        .items
        .iter()
        .map(|item| item.metadata.name.as_deref())
        .collect();
    assert_eq!(names, [Some("gold")]);
}

#[tokio::test]
async fn columns_show_what_people_look_for() {
    let space = Space::new("columns").await;
    let table = [
        (
            "podid.dev/v1alpha1",
            "podidentityprofiles",
            "Name Ready Status Pods Class ClientID Suspended Age Message",
        ),
        (
            "podid.dev/v1alpha1",
            "podidentityclasses",
            "Name Ready Status Profiles Unguarded Policies ResourceGroup Location Age Message",
        ),
        (
            "aadpodidentity.k8s.io/v1",
            "azureidentities",
            "Name Type ClientID Age",
        ),
        (
            "aadpodidentity.k8s.io/v1",
            "azureidentitybindings",
            "Name AzureIdentity Selector Age",
        ),
        (
            "aadpodidentity.k8s.io/v1",
            "azureassignedidentities",
            "Name Pod Node Identity Status Reason Age",
        ),
        (
            "aadpodidentity.k8s.io/v1",
            "azurepodidentityexceptions",
            "Name Age",
        ),
    ];
    for (group, plural, columns) in table {
        let request = kube::core::Request::new(format!("/apis/{group}/{plural}"));
        let mut request = request.list(&ListParams::default()).unwrap();
        let as_table = "application/json;as=Table;v=v1;g=meta.k8s.io"
            .parse()
            .unwrap();
        request.headers_mut().insert("accept", as_table);
        let table: Value = space.client.request(request).await.unwrap();
        let definitions = table["columnDefinitions"].as_array().unwrap();
        let names: Vec<_> = definitions
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        let expected: Vec<_> = columns.split(' ').collect();
        assert_eq!(
            names
                .iter()
                .map(|name| name.replace(' ', ""))
                .collect::<Vec<_>>(),
            expected,
            "{plural}"
        );
    }
}

#[tokio::test]
async fn a_bad_change_of_a_good_object_is_refused() {
    let space = Space::new("change").await;
    let new = object(
        "PodIdentityProfile",
        "p",
        &profile(json!({"interval": "10m"})),
    );
    space
        .create("PodIdentityProfile", new, false)
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"spec": {"interval": "1s"}}));
    let answer = space
        .api("PodIdentityProfile")
        .patch("p", &PatchParams::default(), &patch)
        .await;
    let message = refusal(answer.unwrap_err()).message;
    assert!(message.contains("at least 1m"), "{message}");
}
