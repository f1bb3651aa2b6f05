//! Pods that the API server is asked about, and that are never made.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::stage::{Stage, eventually};
use crate::fixture::refusal;

/// The administrator of a cluster, who asks.
pub(super) struct Prober {
    client: Client,
    runtime: Runtime,
}

impl Prober {
    pub(super) fn of(stage: &Stage) -> Self {
        podid_runtime::process::init();
        let runtime = Runtime::new().unwrap();
        let kubeconfig = Kubeconfig::read_from(stage.kubeconfig()).unwrap();
        let client = runtime.block_on(async {
            let options = KubeConfigOptions::default();
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
            Client::try_from(config.unwrap()).unwrap()
        });
        Self { client, runtime }
    }

    /// Whether a pod may be created; the refusal if not.
    pub(super) fn says(&self, namespace: &str, pod: &Value) -> Result<(), String> {
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let pod: Pod = serde_json::from_value(pod.clone()).unwrap();
        let answer = self.runtime.block_on(pods.create(&dry, &pod));
        answer.map(|_| ()).map_err(|error| refusal(error).message)
    }

    /// Waits until a pod of the namespace `default` is admitted.
    pub(super) fn until_admitted(&self, pod: &Value) {
        eventually("the pod is admitted", || self.says("default", pod).ok());
    }

    /// Waits until a pod of the namespace `default` is refused in these words.
    pub(super) fn until_refused(&self, pod: &Value, words: &str) {
        eventually(words, || {
            let said = self.says("default", pod).err()?;
            said.contains(words).then_some(())
        });
    }
}

/// A pod with this label, or none if it is empty, whose container has this securityContext.
pub(super) fn pod(label: &str, context: &Value) -> Value {
    let labels = (!label.is_empty()).then(|| json!({"aadpodidbinding": label}));
    json!({
        "metadata": {"name": "probe", "labels": labels},
        "spec": {"containers": [{"name": "app", "image": "x", "securityContext": context}]},
    })
}

/// A pod of the profile `checkout` that adds NET_RAW, which every rule refuses and no drop mends.
pub(super) fn adding_net_raw() -> Value {
    let context = json!({"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}});
    pod("checkout", &context)
}
