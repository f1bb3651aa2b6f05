//! What a class asks of every pod of its namespaces, bound or not.

use std::ops::Range;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use crate::cases;
use crate::fixture::{Space, eventually, refusal};
use crate::net_raw::agreement;
use crate::net_raw::templates::{agree_with_core, template, workloads};

/// A pod without a label, whose only container has this security context.
fn pod(context: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "app", "image": "x", "securityContext": context}]},
    })
}

fn drops(capability: &str) -> Value {
    json!({"capabilities": {"drop": [capability]}})
}

async fn admits(space: &Space, pod: Value) -> Result<(), String> {
    space.create("Pod", pod, true).await.map(|_| ())
}

/// A namespace whose class asks this of neighbours, and the class.
async fn asked(mode: &str) -> (Space, String) {
    let space = Space::new("neighbours").await;
    let limits = json!({"namespaces": {"names": [space.name]}});
    let spec = cases::class(json!({"neighbours": {"rule": mode}, "limits": limits}));
    let class = space.class("standard", spec).await;
    (space, class)
}

async fn enforced() -> (Space, String) {
    let (space, class) = asked("Enforce").await;
    let refused = async || admits(&space, pod(&json!({}))).await.err();
    eventually("the policy", refused).await;
    (space, class)
}

#[tokio::test]
async fn every_pod_must_drop_net_raw_and_gain_nothing() {
    let (space, class) = enforced().await;
    let refused = admits(&space, pod(&json!({}))).await.expect_err("kept");
    for words in [
        "podid-neighbours-enforce",
        &format!("pod p: class {class} (neighbours: Enforce)"),
        "container app does not drop NET_RAW",
        "{drop: [NET_RAW]}",
    ] {
        assert!(refused.contains(words), "{words:?} is not in: {refused}");
    }
    for good in [drops("ALL"), drops("NET_RAW")] {
        admits(&space, pod(&good)).await.unwrap();
    }
    for (added, printed) in [
        ("NET_RAW", "NET_RAW"),
        ("cap_net_admin", "cap_net_admin"),
        ("ALL", "ALL"),
        ("NET_ADM\u{131}N", "(what is no name of a capability)"),
        ("X\nY", "(what is no name of a capability)"),
    ] {
        let mut context = drops("ALL");
        context["capabilities"]["add"] = json!([added]);
        let refused = admits(&space, pod(&context)).await.expect_err(added);
        let words = format!("container app adds {printed}; remove what is named");
        assert!(refused.contains(&words), "{refused}");
    }
    let mut context = drops("ALL");
    context["capabilities"]["add"] = json!(["NET_BIND_SERVICE"]);
    admits(&space, pod(&context)).await.unwrap();
    let privileged = json!({"privileged": true, "capabilities": {"drop": ["ALL"]}});
    let refused = admits(&space, pod(&privileged))
        .await
        .expect_err("privileged");
    assert!(refused.contains("container app is privileged"), "{refused}");
    let mut windows = pod(&json!({}));
    windows["spec"]["os"] = json!({"name": "windows"});
    admits(&space, windows).await.unwrap();
    let mut setup = pod(&drops("ALL"));
    setup["spec"]["initContainers"] = json!([{"name": "setup", "image": "x"}]);
    let refused = admits(&space, setup).await.expect_err("setup");
    assert!(refused.contains("container setup"), "{refused}");
    space.remove_class(&class).await;
}

/// The policy fails open where it cannot be evaluated, so nobody may make it cost too much.
#[tokio::test]
async fn a_pod_that_costs_too_much_to_look_at_is_refused() {
    let (space, class) = enforced().await;
    let many: Vec<String> = (0..20_000).map(|n| format!("CAPABILITY_{n}")).collect();
    let mut long = drops("ALL");
    long["capabilities"]["add"] = json!(["A".repeat(400_000)]);
    let mut wide = drops("ALL");
    wide["capabilities"]["add"] = json!(many);
    wide["capabilities"]["add"][19_999] = json!("NET_RAW");
    let mut deep = pod(&json!({}));
    let one = |n| json!({"name": format!("c{n}"), "image": "x"});
    deep["spec"]["containers"] = (0..4000).map(one).collect();
    for costly in [pod(&long), pod(&wide), deep] {
        let refused = admits(&space, costly).await.expect_err("costly");
        assert!(refused.contains("no more than 200 containers"), "{refused}");
    }
    // The most that is looked at one by one.
    let adds: Vec<String> = (0..50).map(|n| format!("{n:0>64}")).collect();
    let one = |n| {
        let context = json!({"capabilities": {"drop": ["ALL"], "add": adds}});
        json!({"name": format!("c{n}"), "image": "x", "securityContext": context})
    };
    let mut largest = pod(&json!({}));
    largest["spec"]["containers"] = (0..200).map(one).collect();
    largest["spec"]["containers"][199]["securityContext"]["capabilities"]["add"][49] =
        json!("NET_RAW");
    let refused = admits(&space, largest).await.expect_err("the largest");
    assert!(refused.contains("container c199 adds NET_RAW"), "{refused}");
    space.remove_class(&class).await;
}

#[tokio::test]
async fn debugging_containers_are_looked_at_and_old_pods_left_alone() {
    let (space, class) = asked("Enforce").await;
    // Before the policy knows the class: it has been there longer than its class.
    let other = Space {
        client: space.client.clone(),
        name: crate::fixture::new_namespace(&space.client, "neighbours").await,
    };
    other.create("Pod", pod(&json!({})), false).await.unwrap();
    let limits =
        json!({"namespaces": {"names": [space.name], "matchLabels": {"team": space.name}}});
    let wider = json!({"spec": {"limits": limits}});
    space
        .api("PodIdentityClass")
        .patch(&class, &PatchParams::default(), &Patch::Merge(wider))
        .await
        .unwrap();
    let namespaces: Api<Namespace> = Api::all(space.client.clone());
    let label = json!({"metadata": {"labels": {"team": space.name}}});
    namespaces
        .patch(&other.name, &PatchParams::default(), &Patch::Merge(label))
        .await
        .unwrap();
    let refused = async || admits(&other, pod(&json!({}))).await.err();
    eventually("the namespace coming in by its label", refused).await;
    let dry = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let pods = other.api("Pod");
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    pods.patch("p", &dry, &label).await.unwrap();
    let debug = async |context: Value| {
        let container = json!({"name": "debugger", "image": "x", "securityContext": context});
        let patch = Patch::Strategic(json!({"spec": {"ephemeralContainers": [container]}}));
        let answer = pods
            .patch_subresource("ephemeralcontainers", "p", &dry, &patch)
            .await;
        answer.map(|_| ()).map_err(|error| refusal(error).message)
    };
    debug(drops("ALL")).await.unwrap();
    let refused = debug(json!({})).await.expect_err("it keeps NET_RAW");
    assert!(refused.contains("container debugger"), "{refused}");

    // As many as are compared pairwise at a bearable price; none is past the rule because there are too many.
    let add = async |numbers: Range<u32>, context: Value| {
        let named = |number| json!({"name": format!("d{number}"), "image": "x", "securityContext": context});
        let containers: Vec<Value> = numbers.map(named).collect();
        let patch = Patch::Strategic(json!({"spec": {"ephemeralContainers": containers}}));
        let real = PatchParams::default();
        let answer = pods
            .patch_subresource("ephemeralcontainers", "p", &real, &patch)
            .await;
        answer.map(|_| ()).map_err(|error| refusal(error).message)
    };
    add(0..190, drops("ALL")).await.unwrap();
    let refused = add(190..400, drops("ALL")).await.expect_err("too many");
    assert!(refused.contains("no more than 200 containers"), "{refused}");
    add(190..191, json!({}))
        .await
        .expect_err("it keeps NET_RAW");
    space.remove_class(&class).await;
}

/// The same table as for bound pods: the two policies state one rule.
#[tokio::test]
async fn admission_and_core_say_the_same_of_every_neighbour() {
    let (space, class) = enforced().await;
    let (mut admitted, mut refused) = (0, 0);
    for spec in agreement::specs() {
        let mut pod = pod(&json!({}));
        pod["spec"] = spec;
        let found = agreement::breaches(&pod);
        match admits(&space, pod.clone()).await {
            Ok(()) => {
                assert!(found.is_empty(), "admitted, but {found:?}: {pod}");
                admitted += 1;
            }
            Err(message) => {
                assert!(message.contains(&class), "{message}: {pod}");
                assert!(!found.is_empty(), "nothing is wrong, but {message}: {pod}");
                refused += 1;
            }
        }
    }
    assert!(admitted >= 25 && refused >= 25, "{admitted} {refused}");
    space.remove_class(&class).await;
}

#[tokio::test]
async fn namespaces_and_nodes_that_the_class_names_are_left_out() {
    let (space, class) = enforced().await;
    let excepted = Space {
        client: space.client.clone(),
        name: crate::fixture::new_namespace(&space.client, "neighbours").await,
    };
    let limits = json!({"namespaces": {"names": [space.name, excepted.name]}});
    let neighbours = json!({
        "exceptNamespaces": [excepted.name],
        "exceptNodes": {"pool": "batch", "zone": "1"},
    });
    let change = json!({"spec": {"limits": limits, "neighbours": neighbours}});
    let classes = space.api("PodIdentityClass");
    let change = Patch::Merge(change);
    classes
        .patch(&class, &PatchParams::default(), &change)
        .await
        .unwrap();
    let on = |labels: Value| {
        let mut pod = pod(&json!({}));
        pod["spec"]["nodeSelector"] = labels;
        pod
    };
    let elsewhere = on(json!({"pool": "batch", "zone": "1", "disk": "ssd"}));
    let admitted = async || admits(&space, elsewhere.clone()).await.ok();
    eventually("nodes of the class being left out", admitted).await;
    admits(&excepted, pod(&json!({}))).await.unwrap();
    for near in [
        json!({}),
        json!({"pool": "batch"}),
        json!({"pool": "batch", "zone": "2"}),
    ] {
        let refused = admits(&space, on(near.clone())).await;
        refused.expect_err(&near.to_string());
    }
    let none = Patch::Merge(
        json!({"spec": {"neighbours": {"exceptNodes": {"pool": null, "zone": null}}}}),
    );
    classes
        .patch(&class, &PatchParams::default(), &none)
        .await
        .unwrap();
    let refused = async || admits(&space, elsewhere.clone()).await.err();
    eventually("no node being left out", refused).await;
    space.remove_class(&class).await;
}

/// A namespace of whose templates the API server warns, and the class.
async fn warned(mode: &str) -> (Space, String) {
    let (space, class) = asked(mode).await;
    let (path, deployment) = workloads(&space, &template(&pod(&json!({})))).remove(0);
    let warning = async || space.warning(&path, &deployment).await;
    eventually("a warning", warning).await;
    (space, class)
}

#[tokio::test]
async fn every_kind_with_a_template_is_warned_of() {
    for (mode, verb) in [("Enforce", "refuse them"), ("Audit", "warn of them")] {
        let (space, class) = warned(mode).await;
        for (path, object) in workloads(&space, &template(&pod(&json!({})))) {
            let said = space.warning(&path, &object).await.expect(&path);
            let rule =
                format!("class {class} (neighbours: {mode}) asks of every pod of namespaces");
            for words in [&rule, verb, "container app does not drop NET_RAW"] {
                assert!(said.contains(words), "{path}: {words:?} is not in: {said}");
            }
        }
        for (path, object) in workloads(&space, &template(&pod(&drops("ALL")))) {
            assert_eq!(space.warning(&path, &object).await, None, "{path}");
        }
        space.remove_class(&class).await;
    }
}

#[tokio::test]
async fn the_warning_and_core_say_the_same_of_every_template_of_neighbours() {
    let (space, class) = warned("Enforce").await;
    let words = format!("class {class} (neighbours: Enforce)");
    agree_with_core(&space, &pod(&json!({})), &words).await;
    space.remove_class(&class).await;
}

#[tokio::test]
async fn templates_are_left_out_where_their_pods_are() {
    let (space, class) = warned("Enforce").await;
    let elsewhere = Space::new("neighbours-elsewhere").await;
    let first = |space: &Space, pod: &Value| workloads(space, &template(pod)).remove(0);
    let (path, deployment) = first(&elsewhere, &pod(&json!({})));
    assert_eq!(elsewhere.warning(&path, &deployment).await, None);
    let classes = space.api("PodIdentityClass");
    let change = async |neighbours: Value| {
        let change = Patch::Merge(json!({"spec": {"neighbours": neighbours}}));
        let parameters = PatchParams::default();
        classes.patch(&class, &parameters, &change).await.unwrap();
    };
    let mut batch = pod(&json!({}));
    batch["spec"]["nodeSelector"] = json!({"pool": "batch"});
    let quiet = async |pod: &Value| {
        let (path, deployment) = first(&space, pod);
        let warned = async || space.warning(&path, &deployment).await;
        eventually("no warning", async || {
            warned().await.is_none().then_some(())
        })
        .await;
    };
    change(json!({"exceptNodes": {"pool": "batch"}})).await;
    quiet(&batch).await;
    let (path, deployment) = first(&space, &pod(&json!({})));
    assert!(space.warning(&path, &deployment).await.is_some());
    change(json!({"exceptNamespaces": [space.name]})).await;
    quiet(&pod(&json!({}))).await;
    space.remove_class(&class).await;
}

#[tokio::test]
async fn audit_warns_and_others_are_not_concerned() {
    let (space, class) = asked("Audit").await;
    let path = format!("/api/v1/namespaces/{}/pods", space.name);
    let warned = async || space.warning(&path, &pod(&json!({}))).await;
    let warning = eventually("a warning", warned).await;
    assert!(warning.contains("(neighbours: Audit)"), "{warning}");
    let note = space.audited("podid-neighbours-audit").await;
    assert!(
        note.contains("container app does not drop NET_RAW"),
        "{note}"
    );
    space.remove_class(&class).await;
    let elsewhere = Space::new("neighbours-elsewhere").await;
    let (enforced, class) = enforced().await;
    admits(&elsewhere, pod(&json!({}))).await.unwrap();
    let limits = json!({"namespaces": {"names": ["*"]}});
    let all = json!({"spec": {"limits": limits, "neighbours": {"rule": "Ignore"}}});
    enforced
        .api("PodIdentityClass")
        .patch(&class, &PatchParams::default(), &Patch::Merge(all))
        .await
        .unwrap();
    let admitted = async || admits(&enforced, pod(&json!({}))).await.ok();
    eventually("the class asking for nothing", admitted).await;
    enforced.remove_class(&class).await;
}

#[tokio::test]
async fn a_class_that_vanishes_asks_nothing_any_more() {
    let (space, class) = enforced().await;
    space.remove_class(&class).await;
    let admitted = async || admits(&space, pod(&json!({}))).await.ok();
    eventually("the policy forgetting the class", admitted).await;
}
