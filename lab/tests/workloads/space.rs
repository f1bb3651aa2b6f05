//! The lab these tests share, and a namespace of its own for each of them.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Namespace, Pod, ServiceAccount};
use kube::api::{Api, ApiResource, DynamicObject, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Client, Config, ResourceExt};
use podid_lab::control::{self, Request};
use podid_lab::targets::RunningTarget;
use podid_lab::{Lab, Lifetime, Network, NodeKind, Target, UpOptions};
use serde_json::{Value, json};

/// Longest wait for anything; each takes far less on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lab of this process: pods on point-to-point links, a scale set instance and a machine.
pub(crate) fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| {
        let options = UpOptions {
            name: format!("test-{}", std::process::id()),
            nodes: vec![NodeKind::Uniform, NodeKind::Vm],
            network: Network::Routed,
            lifetime: Lifetime::Caller,
            ..UpOptions::default()
        };
        Lab::up(options).unwrap_or_else(|error| panic!("no lab: {error:?}"))
    })
}

/// A namespace and a client.
pub(crate) struct Space {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Space {
    /// A new namespace in which pods can be made.
    pub(crate) async fn new() -> Self {
        let lab = tokio::task::spawn_blocking(lab).await.unwrap();
        let kubeconfig = Kubeconfig::read_from(lab.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .unwrap();
        let client = Client::try_from(config).unwrap();
        let wanted: Namespace =
            serde_json::from_value(json!({"metadata": {"generateName": "test-"}})).unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = namespaces
            .create(&PostParams::default(), &wanted)
            .await
            .unwrap();
        let space = Self {
            client,
            namespace: namespace.name_any(),
        };
        let accounts: Api<ServiceAccount> = space.api();
        wait(
            &accounts,
            "default",
            "to be made",
            |account: Option<&ServiceAccount>| account.is_some(),
        )
        .await;
        space
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The namespace's objects of a kind this program has no type for.
    pub(crate) fn dynamic(
        &self,
        api_version: &str,
        kind: &str,
        plural: &str,
    ) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Makes a pod with one container; `extra` is merged over it.
    pub(crate) async fn pod(&self, name: &str, extra: Value) -> Pod {
        let mut pod = json!({
            "metadata": {"name": name},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "main", "image": "app"}],
            },
        });
        merge(&mut pod, extra);
        let pod = serde_json::from_value(pod).unwrap();
        self.api()
            .create(&PostParams::default(), &pod)
            .await
            .unwrap()
    }

    /// Makes a pod and waits until it is ready.
    pub(crate) async fn ready_pod(&self, name: &str, extra: Value) -> Pod {
        self.pod(name, extra).await;
        self.pod_once(name, "to be ready", is_ready).await
    }

    /// Waits until a pod is there and `holds`.
    pub(crate) async fn pod_once(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&Pod) -> bool,
    ) -> Pod {
        let pods: Api<Pod> = self.api();
        wait(&pods, name, what, |pod: Option<&Pod>| {
            pod.is_some_and(&holds)
        })
        .await
        .unwrap()
    }

    /// Waits until a pod's object is gone.
    pub(crate) async fn pod_gone(&self, name: &str) {
        let pods: Api<Pod> = self.api();
        wait(&pods, name, "to be gone", |pod: Option<&Pod>| pod.is_none()).await;
    }

    /// The program `argv`, to be run in a pod of this namespace.
    pub(crate) fn command(&self, pod: &str, argv: &[&str]) -> Command {
        lab().command(&Target::pod(&self.namespace, pod), argv)
    }

    /// What a program in a pod of this namespace prints.
    pub(crate) fn output(&self, pod: &str, argv: &[&str]) -> String {
        let output = self.command(pod, argv).output().unwrap();
        assert!(output.status.success(), "{argv:?} in {pod}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Where the lab itself runs programs for a pod; `None` when it does not know the pod.
    pub(crate) fn place(&self, pod: &str) -> Option<RunningTarget> {
        let target = Target::pod(&self.namespace, pod);
        control::ask(&lab().dir().control_socket(), &Request::Resolve(target)).ok()
    }

    /// Waits for an Event with this reason about a pod; returns its text.
    pub(crate) async fn event(&self, pod: &str, reason: &str) -> String {
        let events: Api<Event> = self.api();
        let filter =
            ListParams::default().fields(&format!("involvedObject.name={pod},reason={reason}"));
        let found = async {
            loop {
                if let Some(event) = events.list(&filter).await.unwrap().items.pop() {
                    return event.message.unwrap_or_default();
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .unwrap_or_else(|_| panic!("no Event {reason} about {pod}"))
    }
}

/// Waits until a condition holds of an object (`None` while it is not there).
pub(crate) async fn wait<K>(
    api: &Api<K>,
    name: &str,
    what: &str,
    condition: impl Condition<K>,
) -> Option<K>
where
    K: Clone + std::fmt::Debug + Send + serde::de::DeserializeOwned + kube::Resource + 'static,
{
    let waiting = await_condition(api.clone(), name, condition);
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(object) => object.unwrap(),
        Err(_) => panic!(
            "waited {PATIENCE:?} for {name} {what}: {:?}",
            api.get(name).await
        ),
    }
}

pub(crate) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").as_deref() == Some("True")
}

/// The status of a pod's condition.
pub(crate) fn condition(pod: &Pod, kind: &str) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|found| found.type_ == kind)
        .map(|found| found.status.clone())
}

pub(crate) fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

/// Merges objects; anything else is replaced.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
