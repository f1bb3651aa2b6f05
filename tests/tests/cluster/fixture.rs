//! One lab for all tests of this ring, and a namespace of its own for each.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use clap::ValueEnum;
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, ObjectMeta, PostParams};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::core::Status;
use kube::discovery::ApiResource;
use kube::{Client, Config};
use podid_lab::net::in_namespace;
use podid_lab::{Flux, Kubernetes, Lab, Lifetime, NodeKind, Target, UpOptions};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::added_policies::{self, Added};

/// Set to the kubeconfig of a cluster that has `kustomize/cluster` applied, to run the ring there
/// instead of in a lab.
const OWN_CLUSTER: &str = "PODID_TEST_KUBECONFIG";
/// Set to the release of Kubernetes that labs of the ring are of; `cargo xtask test cluster` does. Else they are of the
/// newest.
const RELEASE: &str = "PODID_TEST_KUBERNETES";

/// How long anything may take that the API server does behind our back.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

static KUBECONFIG: OnceLock<PathBuf> = OnceLock::new();
/// Ends with this process.
static LAB: OnceLock<Lab> = OnceLock::new();
/// Set once the API server of the cluster that all tests share has read podid's policies and those that tests add.
static POLICIES_READ: OnceCell<()> = OnceCell::const_new();

/// What a lab of the ring is like where a test asks for nothing else: one node, no Flux, of the release that is tried.
pub(crate) fn options(purpose: &str) -> UpOptions {
    UpOptions {
        name: format!("{purpose}-{}", std::process::id()),
        kubernetes: asked_release().unwrap_or_default(),
        nodes: vec![NodeKind::Uniform],
        flux: Flux::None,
        lifetime: Lifetime::Caller,
        ..UpOptions::default()
    }
}

/// The release that the API server must be of, if one was asked for.
pub(crate) fn asked_release() -> Option<Kubernetes> {
    let release = std::env::var(RELEASE).ok()?;
    assert!(
        std::env::var_os(OWN_CLUSTER).is_none(),
        "{RELEASE} chooses a lab, and {OWN_CLUSTER} a cluster in its place: set one of them"
    );
    let known = Kubernetes::from_str(&release, false);
    Some(known.unwrap_or_else(|_| panic!("{RELEASE}={release} is none of the lab's releases")))
}

fn kubeconfig() -> PathBuf {
    let start = || {
        let options = options("cluster-ring");
        let lab = Lab::up(options).expect("a lab");
        let base = podid_tests::programs::repository().join("kustomize/cluster");
        podid_lab::install::manifests(&lab, &base).expect("podid's manifests");
        let kubeconfig = lab.kubeconfig();
        LAB.set(lab).expect("one lab");
        kubeconfig
    };
    let own = || std::env::var_os(OWN_CLUSTER).map(PathBuf::from);
    KUBECONFIG
        .get_or_init(|| own().unwrap_or_else(start))
        .clone()
}

fn lab() -> &'static Lab {
    let lab = LAB.get();
    lab.expect("the lab: on a cluster of your own this test cannot run")
}

/// What the API server of the lab has written down.
pub(crate) fn audit_log() -> PathBuf {
    lab().audit_log()
}

/// A listener that the API server of the lab reaches.
pub(crate) fn listen_beside_the_api_server() -> TcpListener {
    let control_plane = lab().network_namespace(&Target::ControlPlane).unwrap();
    let listener = in_namespace(control_plane, || TcpListener::bind("127.0.0.1:0"))
        .unwrap()
        .unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

/// Of the cluster that all tests share, once its API server has read all policies.
pub(crate) async fn config() -> Config {
    let config = config_of(&kubeconfig()).await;
    let read = async || {
        let client = Client::try_from(config.clone()).expect("a client");
        added_policies::apply(&client).await;
        policies_are_read(&client).await;
    };
    POLICIES_READ.get_or_init(read).await;
    config
}

/// Waits until the API server has read every policy that was applied before, for the last time: the status that tells of
/// their types is a change as well. It watches policies in the order of their changes, so a last one, which refuses an
/// object of its own, is made and waited for. Before 1.36 an API server may crash that reads a policy with variables while
/// it evaluates another (<https://github.com/kubernetes/kubernetes/issues/135757>).
async fn policies_are_read(client: &Client) {
    eventually("the type check of all policies", async || {
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
        let policies = policies.list(&ListParams::default()).await.unwrap();
        policies.iter().all(is_type_checked).then_some(())
    })
    .await;
    let name = format!("podid-tests-last-{}", std::process::id());
    let space = Space {
        client: client.clone(),
        name: "default".to_owned(),
    };
    let (policy, binding) = (
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    );
    let rule = json!({
        "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
        "operations": ["CREATE"], "resourceNames": [name],
    });
    for (kind, spec) in [
        (
            policy,
            json!({"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "false"}]}),
        ),
        (
            binding,
            json!({"policyName": name, "validationActions": ["Deny"]}),
        ),
    ] {
        let object = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
            "metadata": {"name": name}, "spec": spec,
        });
        space.create(kind, object, false).await.unwrap();
    }
    let refused = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    eventually("the last policy taking effect", async || {
        let answer = space.create("ConfigMap", refused.clone(), true).await;
        answer.err()?.contains(&name).then_some(())
    })
    .await;
    for kind in [binding, policy] {
        let delete = DeleteParams::default();
        space.api(kind).delete(&name, &delete).await.unwrap();
    }
}

fn is_type_checked(policy: &ValidatingAdmissionPolicy) -> bool {
    let checked = policy
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    checked.is_some() && checked == policy.metadata.generation
}

/// What a kubeconfig says.
pub(crate) async fn config_of(kubeconfig: &Path) -> Config {
    podid_runtime::process::init();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .expect("a config")
}

/// Makes a namespace whose name begins with `purpose`; returns the name.
pub(crate) async fn new_namespace(client: &Client, purpose: &str) -> String {
    labelled_namespace(client, purpose, None).await
}

async fn labelled_namespace(client: &Client, purpose: &str, label: Option<(&str, &str)>) -> String {
    let label = label.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let metadata = ObjectMeta {
        generate_name: Some(format!("{purpose}-")),
        labels: label.map(|label| [label].into()),
        ..ObjectMeta::default()
    };
    let namespace = Namespace {
        metadata,
        ..Namespace::default()
    };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let made = namespaces.create(&PostParams::default(), &namespace).await;
    made.unwrap().metadata.name.expect("a name")
}

/// A namespace that only one test uses.
pub(crate) struct Space {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Space {
    /// A new namespace whose name begins with `purpose`.
    pub(crate) async fn new(purpose: &str) -> Self {
        Self::of(config().await, purpose).await
    }

    /// The same with a label.
    pub(crate) async fn labelled(purpose: &str, label: (&str, &str)) -> Self {
        let client = Client::try_from(config().await).expect("a client");
        let name = labelled_namespace(&client, purpose, Some(label)).await;
        Self { client, name }
    }

    /// A new namespace in which a policy holds that components add.
    pub(crate) async fn under(policy: Added) -> Self {
        Self::labelled(policy.name, (added_policies::LABEL, policy.name)).await
    }

    /// The same in the cluster of a configuration.
    pub(crate) async fn of(config: Config, purpose: &str) -> Self {
        let client = Client::try_from(config).expect("a client");
        let name = new_namespace(&client, purpose).await;
        Self { client, name }
    }

    /// The same namespace, as a user sees it who has no right but those given to its name.
    pub(crate) async fn as_user(&self, user: &str) -> Self {
        let mut config = config().await;
        config.auth_info.impersonate = Some(user.to_owned());
        Self {
            client: Client::try_from(config).expect("a client"),
            name: self.name.clone(),
        }
    }

    /// The same namespace, as somebody sees it who has this token and nothing else; an empty one is none.
    pub(crate) async fn with_token(&self, token: String) -> Self {
        self.bearing(config().await, token)
    }

    /// The same in the cluster of a configuration.
    pub(crate) fn bearing(&self, mut config: Config, token: String) -> Self {
        config.auth_info = AuthInfo {
            token: (!token.is_empty()).then(|| token.into()),
            ..AuthInfo::default()
        };
        Self {
            client: Client::try_from(config).expect("a client"),
            name: self.name.clone(),
        }
    }

    /// The objects of a kind: in this namespace, or in the cluster for kinds that are cluster-wide.
    pub(crate) fn api(&self, kind: &str) -> Api<DynamicObject> {
        let (group, version, plural, namespaced) = match kind {
            "PodIdentityProfile" => ("podid.dev", "v1alpha1", "podidentityprofiles", true),
            "PodIdentityClass" => ("podid.dev", "v1alpha1", "podidentityclasses", false),
            "AzureIdentity" => (PREDECESSOR, "v1", "azureidentities", true),
            "AzureIdentityBinding" => (PREDECESSOR, "v1", "azureidentitybindings", true),
            "AzureAssignedIdentity" => (PREDECESSOR, "v1", "azureassignedidentities", true),
            "AzurePodIdentityException" => (PREDECESSOR, "v1", "azurepodidentityexceptions", true),
            "ValidatingAdmissionPolicy" => (ADMISSION, "v1", "validatingadmissionpolicies", false),
            "ValidatingAdmissionPolicyBinding" => {
                (ADMISSION, "v1", "validatingadmissionpolicybindings", false)
            }
            "ConfigMap" => ("", "v1", "configmaps", true),
            "Pod" => ("", "v1", "pods", true),
            "Node" => ("", "v1", "nodes", false),
            other => panic!("no test uses {other}"),
        };
        let api_version = if group.is_empty() {
            version.into()
        } else {
            format!("{group}/{version}")
        };
        let resource = ApiResource {
            group: group.into(),
            version: version.into(),
            api_version,
            kind: kind.into(),
            plural: plural.into(),
        };
        if namespaced {
            Api::namespaced_with(self.client.clone(), &self.name, &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        }
    }

    /// Creates an object, or with `dry_run` only asks whether it could be; the API server's words
    /// when it refuses.
    pub(crate) async fn create(
        &self,
        kind: &str,
        object: Value,
        dry_run: bool,
    ) -> Result<Value, String> {
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        let parameters = PostParams {
            dry_run,
            ..PostParams::default()
        };
        match self.api(kind).create(&parameters, &object).await {
            Ok(object) => Ok(serde_json::to_value(object).unwrap()),
            Err(error) => Err(refusal(error).message),
        }
    }
}

const PREDECESSOR: &str = "aadpodidentity.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// What the API server said; anything else is a broken test.
pub(crate) fn refusal(error: kube::Error) -> Status {
    match error {
        kube::Error::Api(status) => *status,
        other => panic!("the API server gave no answer: {other}"),
    }
}

/// Looks until there is an answer.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(LIMIT, what, look).await
}

/// The same where it may take as long as this.
pub(crate) async fn eventually_within<T>(
    limit: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(limit, looking)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen within {limit:?}"))
}
