//! What becomes of a profile's pods, and what they do to the profile.

use std::ops::Range;
use std::process::Command;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::PostParams;
use podid_crds::aadpodidentity::{AzureIdentity, AzureIdentityBinding};
use podid_crds::podid::PodIdentityProfile;
use podid_tests::programs;
use serde_json::{Value, json};

use super::scene::{Scene, says, status};
use crate::fixture::eventually;
use crate::stage::{SET, SET_NODES, VM_NODES};

/// A security context that keeps what the runtime gives.
fn keeps() -> Value {
    json!({})
}

impl Scene {
    /// The Azure name of a profile's identity.
    fn identity_of(profile: &PodIdentityProfile) -> String {
        let identity = status(profile).identity.expect("an identity");
        let name = identity.resource_id.rsplit('/').next();
        name.expect("a name").to_owned()
    }

    fn refused(profile: &PodIdentityProfile) -> Vec<String> {
        let refused = status(profile).refused_pods.unwrap_or_default();
        refused.into_iter().map(|pod| pod.name).collect()
    }

    /// Looks until the profile names exactly these pods as refused, and is not ready for it.
    async fn until_refused(&self, name: &str, pods: &[&str]) -> PodIdentityProfile {
        eventually(&format!("{pods:?} refused"), async || {
            let profile: PodIdentityProfile = self.api().get(name).await.unwrap();
            (Self::refused(&profile) == pods).then_some(())
        })
        .await;
        self.until(name, "EnforcementReady", "False").await;
        self.until(name, "Ready", "False").await
    }
}

/// What `podid pods` says of the namespace.
fn listed(scene: &Scene) -> String {
    let output = Command::new(programs::program("podid"))
        .args(["pods", "--namespace", &scene.namespace])
        .env("KUBECONFIG", scene.stage.lab.kubeconfig())
        .output()
        .expect("podid starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_pod_older_than_its_profile_that_keeps_net_raw_is_refused_until_it_is_gone() {
    let scene = Scene::open("older").await;
    scene
        .try_pod("old", "cart", VM_NODES[0], keeps())
        .await
        .expect("no profile yet");
    scene.profile("cart", json!({})).await;
    let profile = scene.until_refused("cart", &["old"]).await;
    let (reason, message) = says(&profile, "EnforcementReady");
    assert_eq!(reason, "PodsKeepNetRaw");
    assert!(
        message.contains("old (container main does not drop NET_RAW)"),
        "{message}"
    );
    assert_eq!(says(&profile, "Ready").1, message);
    let event = scene.until_event("old", "BreaksNetRawRule").await;
    let remedy = "add securityContext: {capabilities: {drop: [NET_RAW]}} to each container named";
    assert!(event.contains(remedy), "{event}");
    let listed = listed(&scene);
    let rule = format!(
        "{}/old\n  rule of profile {0}/cart (Enforce)\n",
        scene.namespace
    );
    assert!(
        listed.starts_with(&rule) && listed.contains(remedy),
        "{listed}"
    );

    scene.pod("new", "cart", VM_NODES[1]).await;
    scene.until_assigned(&["new Assigned"]).await;
    let identity = Scene::identity_of(&profile);
    assert!(!scene.stage.carried(VM_NODES[0]).await.contains(&identity));
    let counts = "1 of 2 pods have the identity on their node, 1 refused";
    eventually(counts, async || {
        let profile: PodIdentityProfile = scene.api().get("cart").await.unwrap();
        let (_, message) = says(&profile, "AssignmentReady");
        message.starts_with(counts).then_some(())
    })
    .await;

    scene.delete_pod("old").await;
    let profile = scene.until("cart", "Ready", "True").await;
    assert_eq!(says(&profile, "EnforcementReady").0, "Enforced");
    eventually("nobody is refused", async || {
        let profile: PodIdentityProfile = scene.api().get("cart").await.unwrap();
        Scene::refused(&profile).is_empty().then_some(())
    })
    .await;
    let events = scene.events("old").await;
    let assigned = events
        .iter()
        .any(|event| event.starts_with("IdentityAssigned"));
    assert!(!assigned, "{events:?}");
    scene.delete_pod("new").await;
    scene.delete("cart").await;
}

#[tokio::test]
async fn pods_that_slip_past_admission_get_nothing() {
    let scene = Scene::open("delay").await;
    let pods = async |numbers: Range<u32>| {
        let mut admitted = Vec::new();
        for number in numbers {
            let name = format!("pod-{number:02}");
            let made = scene.try_pod(&name, "cart", VM_NODES[0], keeps()).await;
            admitted.extend(made.is_ok().then_some(name));
        }
        admitted
    };
    let mut admitted = pods(0..3).await;
    assert_eq!(admitted.len(), 3, "nothing binds them yet");
    // While the profile is made: admission learns of it in the middle.
    let (during, _profile) = tokio::join!(pods(3..20), scene.profile("cart", json!({})));
    admitted.extend(during);
    let names: Vec<&str> = admitted.iter().map(String::as_str).collect();
    scene.until_refused("cart", &names).await;
    assert!(scene.assigned().await.is_empty());
    for name in admitted {
        scene.delete_pod(&name).await;
    }
    scene.until("cart", "Ready", "True").await;
    scene.delete("cart").await;
}

/// Weakness 19 of the predecessor: whoever could label a pod could give it the identity.
#[tokio::test]
async fn a_copied_label_is_worth_nothing_to_another_service_account() {
    let scene = Scene::open("accounts").await;
    let spec = json!({ "binding": { "serviceAccounts": ["web"] } });
    let profile = scene.ready("cart", spec).await;
    scene.pod("copy", "cart", VM_NODES[0]).await;
    let event = scene.until_event("copy", "ServiceAccountNotBound").await;
    let binding = format!("AzureIdentityBinding {}/cart", scene.namespace);
    let list = format!(
        "binding.serviceAccounts of PodIdentityProfile {}/cart",
        scene.namespace
    );
    for words in [binding.as_str(), "service account default;", list.as_str()] {
        assert!(event.contains(words), "{words:?} is not in: {event}");
    }
    let drops = json!({ "capabilities": { "drop": ["ALL"] } });
    let web = json!({
        "metadata": { "name": "web", "labels": { "aadpodidbinding": "cart" } },
        "spec": {
            "nodeName": VM_NODES[1], "serviceAccountName": "web",
            "containers": [{
                "name": "main", "image": "registry.example/app", "securityContext": drops,
            }],
        },
    });
    scene
        .create::<ServiceAccount>(json!({ "metadata": { "name": "web" } }))
        .await;
    scene.create::<Pod>(web).await;
    scene.until_assigned(&["web Assigned"]).await;
    let identity = Scene::identity_of(&profile);
    assert!(!scene.stage.carried(VM_NODES[0]).await.contains(&identity));
    eventually("the copy does not count", async || {
        let profile: PodIdentityProfile = scene.api().get("cart").await.unwrap();
        let (_, message) = says(&profile, "AssignmentReady");
        (message == "1 of 1 pod has the identity on its node").then_some(())
    })
    .await;
    for pod in ["copy", "web"] {
        scene.delete_pod(pod).await;
    }
    scene.delete("cart").await;
}

#[tokio::test]
async fn an_edit_that_binds_or_tightens_takes_the_identity_from_pods_that_keep_net_raw() {
    let scene = Scene::open("edit").await;
    scene
        .class(json!({ "limits": { "allowNetRaw": true } }))
        .await;
    let spec = |selector: &str, net_raw: &str| json!({ "binding": { "selector": selector }, "netRaw": net_raw });
    for pod in ["one", "two"] {
        let made = scene.try_pod(pod, pod, VM_NODES[0], keeps()).await;
        made.expect("bound by nobody");
    }
    scene.profile("cart", spec("one", "Audit")).await;
    scene.until_assigned(&["one Assigned"]).await;
    eventually("the audited pod is named and all is ready", async || {
        let profile = scene.until("cart", "Ready", "True").await;
        let (reason, message) = says(&profile, "EnforcementReady");
        let named = message.contains("one (container main does not drop NET_RAW)");
        (reason == "Audited" && named).then_some(())
    })
    .await;

    scene.profile("cart", spec("one", "Enforce")).await;
    let profile = scene.until_refused("cart", &["one"]).await;
    scene.until_assigned(&[]).await;
    let identity = Scene::identity_of(&profile);
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;

    scene.profile("cart", spec("two", "Enforce")).await;
    scene.until_refused("cart", &["two"]).await;
    for pod in ["one", "two"] {
        scene.delete_pod(pod).await;
    }
    scene.until("cart", "Ready", "True").await;
    scene.delete("cart").await;
}

/// What docs/hardening.md says of a permission that is taken back.
#[tokio::test]
async fn a_profile_whose_class_takes_a_permission_back_keeps_what_it_had() {
    let scene = Scene::open("withdrawn").await;
    let allowed = |is| json!({ "limits": { "allowNetRaw": is } });
    scene.class(allowed(true)).await;
    let spec = json!({ "netRaw": "Ignore" });
    let profile = scene.ready("cart", spec).await;
    let made = scene.try_pod("web", "cart", VM_NODES[0], keeps()).await;
    made.expect("no rule holds");
    scene.until_assigned(&["web Assigned"]).await;
    scene.class(allowed(false)).await;
    scene.poke("cart", "narrowed").await;
    let stalled = scene.until("cart", "Stalled", "True").await;
    let (reason, message) = says(&stalled, "Stalled");
    assert_eq!(reason, "NotAllowedByClass");
    assert!(message.contains("spec.netRaw"), "{message}");
    scene.until_assigned(&["web Assigned"]).await;
    let identity = Scene::identity_of(&profile);
    assert!(scene.stage.carried(VM_NODES[0]).await.contains(&identity));
    scene.delete_pod("web").await;
    scene.delete("cart").await;
}

/// Fault 21: a PATCH answers 403 `LinkedAuthorizationFailed`.
#[tokio::test]
async fn a_refused_assignment_is_said_everywhere_and_tried_at_once_when_asked() {
    let scene = Scene::open("linked").await;
    let profile = scene.ready("cart", json!({})).await;
    let body = json!({ "error": {
        "code": "LinkedAuthorizationFailed",
        "message": "The client has permission to perform action 'write' on the machine, but not \
                    'assign/action' on the linked scope.",
    }});
    let effect = json!({ "kind": "respond", "status": 403, "body": body });
    let fault = json!({ "operation": "arm.vmss.patch", "effect": effect });
    scene.stage.fault(fault).await;
    scene.pod("web", "cart", SET_NODES[0]).await;
    scene
        .until_assigned(&["web Failed LinkedAuthorizationFailed"])
        .await;
    scene.until("cart", "AssignmentReady", "False").await;
    let refused = scene.until("cart", "Ready", "False").await;
    let (reason, message) = says(&refused, "AssignmentReady");
    assert_eq!(reason, "LinkedAuthorizationFailed");
    let failed = "identity /subscriptions/";
    let remedy =
        " cannot be put on a VM or scale set: grant the operator Managed Identity Operator on";
    let counts = "0 of 1 pod has the identity on its node: ";
    assert!(
        message.starts_with(&format!("{counts}{failed}")) && message.contains(remedy),
        "{message}"
    );
    let id = status(&profile).identity.expect("an identity").resource_id;
    assert!(
        message.to_lowercase().contains(&id.to_lowercase()),
        "{message}"
    );
    assert_eq!(says(&refused, "Ready").0, "ProgressingWithRetry");
    let ready = says(&refused, "Ready").1;
    assert!(
        ready.starts_with(failed) && ready.contains(remedy),
        "{ready}"
    );
    let (bound, assigned) = (status(&refused).bound_pods, status(&refused).assigned_pods);
    assert_eq!((bound, assigned), (Some(1), Some(0)));
    let event = scene.until_event("web", "IdentityNotAssigned").await;
    let start = format!("cart is not assigned: {failed}");
    assert!(event.contains(&start) && event.contains(remedy), "{event}");

    // After three refusals the next try is at least ten seconds away.
    eventually("three refusals", async || {
        (scene.stage.calls("arm.vmss.patch", SET).await.len() >= 3).then_some(())
    })
    .await;
    scene.stage.heal().await;
    let asked = Instant::now();
    scene.poke("cart", "granted").await;
    scene.until_assigned(&["web Assigned"]).await;
    let waited = asked.elapsed();
    assert!(waited < Duration::from_secs(8), "{waited:?}");
    scene.until("cart", "AssignmentReady", "True").await;
    scene.until("cart", "Ready", "True").await;
    scene.delete_pod("web").await;
    scene.delete("cart").await;
}

#[tokio::test]
async fn an_identity_of_a_profile_is_served_by_hand_only_where_its_class_allows_it() {
    let scene = Scene::open("shared").await;
    let profile = scene.ready("cart", json!({})).await;
    let identity = status(&profile).identity.expect("an identity");
    let owner = json!([{
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile", "name": "cart",
        "uid": profile.metadata.uid, "controller": true,
    }]);
    for (name, owners) in [("plain", json!([])), ("forged", owner)] {
        let object = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
            "metadata": { "name": name, "ownerReferences": owners },
            "spec": {
                "type": 0, "resourceID": identity.resource_id, "clientID": identity.client_id,
            },
        });
        let object: AzureIdentity = serde_json::from_value(object).unwrap();
        let binding = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding",
            "metadata": { "name": name },
            "spec": { "azureIdentity": name, "selector": name },
        });
        let binding: AzureIdentityBinding = serde_json::from_value(binding).unwrap();
        let params = PostParams::default();
        scene.api().create(&params, &object).await.unwrap();
        scene.api().create(&params, &binding).await.unwrap();
        scene.pod(name, name, VM_NODES[0]).await;
    }
    scene
        .until_assigned(&[
            "forged Failed OwnedByProfile",
            "plain Failed OwnedByProfile",
        ])
        .await;
    let event = scene.until_event("plain", "OwnedByProfile").await;
    let profile = format!("PodIdentityProfile {}/cart", scene.namespace);
    assert!(
        event.contains(&profile) && event.contains("limits.allowHandWritten"),
        "{event}"
    );
    let name = identity.resource_id.rsplit('/').next().expect("a name");
    assert!(
        !scene
            .stage
            .carried(VM_NODES[0])
            .await
            .contains(&name.to_owned())
    );

    scene
        .class(json!({ "limits": { "allowHandWritten": true } }))
        .await;
    scene
        .until_assigned(&["forged Assigned", "plain Assigned"])
        .await;
    scene.class(json!({})).await;
    scene
        .until_assigned(&[
            "forged Failed OwnedByProfile",
            "plain Failed OwnedByProfile",
        ])
        .await;
    scene.stage.until_carried(VM_NODES[0], name, false).await;
    for name in ["plain", "forged"] {
        scene.delete_pod(name).await;
    }
    scene.delete("cart").await;
}
