//! The admission policy about `NET_RAW`, and what comes to the same.

pub(crate) mod agreement;
mod audited;
mod beside;
mod doors;
mod dropping;
mod leaving;
mod legacy;
pub(crate) mod templates;
mod updates;

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Request;
use serde_json::{Value, json};

use crate::fixture::{Space, eventually};

/// A container that keeps what the runtime gives it.
fn keeps() -> Value {
    json!({})
}

fn drops(capability: &str) -> Value {
    json!({"capabilities": {"drop": [capability]}})
}

/// A pod whose only container has this security context.
fn pod(name: &str, label: &str, context: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"aadpodidbinding": label}},
        "spec": {"containers": [{"name": "app", "image": "x", "securityContext": context}]},
    })
}

impl Space {
    async fn profile(&self, name: &str, spec: Value) {
        let object = json!({
            "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
            "metadata": {"name": name}, "spec": spec,
        });
        self.create("PodIdentityProfile", object, false)
            .await
            .unwrap();
    }

    /// Waits until the API server's policies know the profiles made so far: they learn of them in
    /// the order of their making, so a last one is made and waited for.
    async fn policies_know(&self) {
        self.profile("sentinel", json!({"className": "standard"}))
            .await;
        let refused = async || {
            let probe = pod("probe", "sentinel", &keeps());
            self.create("Pod", probe, true).await.err()
        };
        eventually("the policy taking effect", refused).await;
    }

    /// The warnings with which the API server admits an object at this path, one below the other; nothing is created.
    pub(crate) async fn warning(&self, path: &str, object: &Value) -> Option<String> {
        let parameters = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let body = serde_json::to_vec(object).unwrap();
        let request = Request::new(path).create(&parameters, body).unwrap();
        let (head, body) = request.into_parts();
        let request = http::Request::from_parts(head, kube::client::Body::from(body));
        let answer = self.client.send(request).await.unwrap();
        assert_eq!(answer.status(), 201, "it is admitted: {object}");
        let warnings = answer.headers().get_all("warning").iter();
        let said = warnings.map(|said| String::from_utf8_lossy(said.as_bytes()));
        let said: Vec<_> = said.collect();
        (!said.is_empty()).then(|| said.join("\n"))
    }

    /// Whether a pod may be created; the refusal if not.
    async fn admits(&self, pod: Value) -> Result<(), String> {
        self.create("Pod", pod, true).await.map(|_| ())
    }
}

/// A namespace with one profile per mode; the one of `audit` is selected by another value.
async fn space() -> Space {
    let space = Space::new("net-raw").await;
    space
        .profile("shop", json!({"className": "standard"}))
        .await;
    let audit = json!({
        "className": "standard", "netRaw": "Audit", "binding": {"selector": "Watched"},
    });
    space.profile("audit", audit).await;
    space
        .profile("off", json!({"className": "standard", "netRaw": "Ignore"}))
        .await;
    space.policies_know().await;
    space
}

#[tokio::test]
async fn only_dropping_in_the_spelling_of_every_runtime_counts() {
    let space = space().await;
    for context in [drops("NET_RAW"), drops("ALL")] {
        space.admits(pod("p", "shop", &context)).await.unwrap();
    }
    let keeping = [
        keeps(),
        json!({"capabilities": {}}),
        json!({"capabilities": {"drop": []}}),
        drops("NET_ADMIN"),
        drops("CAP_NET_RAW"),
        drops("net_raw"),
    ];
    for context in keeping {
        let message = space
            .admits(pod("p", "shop", &context))
            .await
            .expect_err("kept");
        for words in [
            "pod p",
            "container app",
            "profile shop",
            "{drop: [NET_RAW]}",
        ] {
            assert!(
                message.contains(words),
                "{context}: {words:?} is not in: {message}"
            );
        }
    }
}

#[tokio::test]
async fn adding_it_back_is_refused_in_any_spelling() {
    let space = space().await;
    let table = [
        "NET_RAW",
        "net_raw",
        "CAP_NET_RAW",
        "cap_net_raw",
        "ALL",
        "Cap_All",
        "SYS_ADMIN",
        "CAP_SYS_ADMIN",
        "sys_admin",
        "cap_Sys_Admin",
        "NET_ADMIN",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_BOOT",
        "BPF",
        "Perfmon",
        "CAP_DAC_READ_SEARCH",
        // Letters that become those of a capability when a runtime makes them large.
        "NET_ADM\u{131}N",
        "\u{17f}YS_ADMIN",
        "NET RAW",
    ];
    for capability in table {
        let context = json!({"capabilities": {"drop": ["ALL"], "add": ["CHOWN", capability]}});
        let message = space
            .admits(pod("p", "shop", &context))
            .await
            .expect_err(capability);
        let printed = match capability.is_ascii() {
            true => capability,
            false => "(what is no name of a capability)",
        };
        let added = format!("container app adds {printed};");
        for words in ["pod p", "profile shop", &added, "capabilities.add"] {
            assert!(
                message.contains(words),
                "{capability}: {words:?} is not in: {message}"
            );
        }
    }
    // It would end the message, and keep the API server from saying more than a fixed one.
    let context = json!({"capabilities": {"drop": ["ALL"], "add": ["X\nY\u{202e}", "NET_RAW"]}});
    let said = space.admits(pod("p", "shop", &context)).await;
    let said = said.expect_err("two lines");
    let words = "container app adds (what is no name of a capability), NET_RAW;";
    assert!(said.contains(words), "{said}");
    let harmless = json!({"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}});
    space.admits(pod("p", "shop", &harmless)).await.unwrap();
}

#[tokio::test]
async fn the_nodes_network_and_processes_are_refused() {
    let space = space().await;
    let with = |fields: &[&str]| {
        let mut pod = pod("p", "shop", &drops("ALL"));
        for field in fields {
            pod["spec"][field] = json!(true);
        }
        pod
    };
    let table: [(&[&str], &str); 3] = [
        (&["hostNetwork"], "remove hostNetwork from the spec"),
        (&["hostPID"], "remove hostPID from the spec"),
        (
            &["hostNetwork", "hostPID"],
            "remove hostNetwork and hostPID from the spec",
        ),
    ];
    for (fields, remedy) in table {
        let message = space.admits(with(fields)).await.expect_err(remedy);
        let sets = format!("the pod sets {}: true", fields[0]);
        for words in ["pod p", "profile shop", &sets, remedy] {
            assert!(message.contains(words), "{words:?} is not in: {message}");
        }
    }
    let mut said_no = with(&[]);
    said_no["spec"]["hostNetwork"] = json!(false);
    space.admits(said_no).await.unwrap();
    let mut unbound = with(&["hostNetwork", "hostPID"]);
    unbound["metadata"]["labels"]["aadpodidbinding"] = json!("off");
    space.admits(unbound).await.unwrap();
}

#[tokio::test]
async fn a_privileged_container_has_it_whatever_it_drops() {
    let space = space().await;
    let context = json!({"privileged": true, "capabilities": {"drop": ["ALL"]}});
    let message = space
        .admits(pod("p", "shop", &context))
        .await
        .expect_err("privileged");
    assert!(message.contains("container app is privileged"), "{message}");
}

#[tokio::test]
async fn every_container_counts_and_all_offenders_are_named() {
    let space = space().await;
    let mut pod = pod("p", "shop", &drops("ALL"));
    let sidecar = json!({"name": "sidecar", "image": "x"});
    pod["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(sidecar);
    pod["spec"]["initContainers"] = json!([{"name": "setup", "image": "x"}]);
    let message = space.admits(pod.clone()).await.expect_err("two keep it");
    assert!(
        message.contains("container sidecar, setup does not drop"),
        "{message}"
    );
    pod["spec"]["containers"][1]["securityContext"] = drops("NET_RAW");
    let message = space.admits(pod.clone()).await.expect_err("one keeps it");
    assert!(
        message.contains("container setup does not drop"),
        "{message}"
    );
    pod["spec"]["initContainers"][0]["securityContext"] = drops("NET_RAW");
    space.admits(pod).await.unwrap();
}

#[tokio::test]
async fn only_pods_bound_by_an_enforcing_profile_of_their_namespace_are_held_to_it() {
    let space = space().await;
    for label in ["other", "off", "audit", "SHOP"] {
        space.admits(pod("p", label, &keeps())).await.unwrap();
    }
    let mut unlabelled = pod("p", "shop", &keeps());
    unlabelled["metadata"]["labels"] = json!({"app": "shop"});
    space.admits(unlabelled).await.unwrap();
    let elsewhere = Space::new("net-raw-elsewhere").await;
    elsewhere.admits(pod("p", "shop", &keeps())).await.unwrap();
    let mut windows = pod("p", "shop", &keeps());
    windows["spec"]["os"] = json!({"name": "windows"});
    space.admits(windows).await.unwrap();
}

#[tokio::test]
async fn a_selector_replaces_the_profiles_name() {
    let space = Space::new("net-raw-selector").await;
    let spec = json!({"className": "standard", "binding": {"selector": "Web.1"}});
    space.profile("shop", spec).await;
    space.policies_know().await;
    space.admits(pod("p", "shop", &keeps())).await.unwrap();
    let message = space
        .admits(pod("p", "Web.1", &keeps()))
        .await
        .expect_err("selected");
    assert!(message.contains("profile shop"), "{message}");
}

#[tokio::test]
async fn an_edit_that_is_not_applied_loosens_nothing() {
    let space = Space::new("net-raw-applied").await;
    let edited = json!({
        "className": "standard", "netRaw": "Ignore", "binding": {"selector": "elsewhere"},
    });
    space.profile("shop", edited).await;
    // As the operator wrote it before the edit, which it refused or has not seen.
    let applied = json!({"status": {"binding": {"selector": "shop", "netRaw": "Enforce"}}});
    space
        .api("PodIdentityProfile")
        .patch_status("shop", &PatchParams::default(), &Patch::Merge(applied))
        .await
        .unwrap();
    space.policies_know().await;
    let message = space
        .admits(pod("p", "shop", &keeps()))
        .await
        .expect_err("still bound");
    assert!(message.contains("profile shop"), "{message}");
    space.admits(pod("p", "shop", &drops("ALL"))).await.unwrap();
    space.admits(pod("p", "elsewhere", &keeps())).await.unwrap();
}

#[tokio::test]
async fn audit_admits_with_a_warning() {
    let space = space().await;
    let pods = format!("/api/v1/namespaces/{}/pods", space.name);
    let audited = pod("p", "Watched", &keeps());
    // Known to the policy of the other mode does not mean known to this one's.
    let warned = async || space.warning(&pods, &audited).await;
    let warning = eventually("a warning", warned).await;
    assert!(
        warning.contains("profile audit (netRaw: Audit)"),
        "{warning}"
    );
    space
        .admits(pod("p", "Watched", &drops("ALL")))
        .await
        .unwrap();
}
