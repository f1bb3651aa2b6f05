//! A lab with a real API server, its profiles, and pods that nobody places or runs.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Request;
use kube::{Client, Config, Resource};
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_lab::layout::{LOCATION, NODE_GROUP, RESOURCE_GROUP, SUBSCRIPTION, TENANT};
use podid_lab::{Flux, Lab, Lifetime, NodeKind, UpOptions, install};
use podid_tests::programs::repository;
use serde_json::{Value, json};

/// The namespace in which the policies themselves are probed.
pub(crate) const PROBED: &str = "probed";
/// The profile of a namespace that is made last, and that binds the measured pods: policies learn of profiles in the
/// order of their making.
pub(crate) const LAST_PROFILE: &str = "last";
/// Requests to the API server at once, but for what is measured.
const AT_ONCE: usize = 32;

/// Namespaces, and how many profiles each has.
pub(crate) struct Scene {
    namespaces: Vec<String>,
    profiles: usize,
}

impl Scene {
    pub(crate) fn one(namespace: &str, profiles: usize) -> Self {
        let namespaces = vec![namespace.to_owned()];
        Self {
            namespaces,
            profiles,
        }
    }

    pub(crate) fn spread(namespaces: usize, profiles: usize) -> Self {
        let namespaces = (0..namespaces).map(|number| format!("team-{number}"));
        Self {
            namespaces: namespaces.collect(),
            profiles,
        }
    }

    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &str> + Clone {
        self.namespaces.iter().map(String::as_str)
    }

    /// All of them.
    pub(crate) fn profiles(&self) -> usize {
        self.namespaces.len() * self.profiles
    }
}

pub(crate) struct World {
    pub(crate) client: Client,
    /// Ends with this value.
    _lab: Lab,
}

impl World {
    pub(crate) async fn start() -> Result<Self> {
        let options = UpOptions {
            name: format!("bench-{}", std::process::id()),
            nodes: vec![NodeKind::Uniform],
            flux: Flux::None,
            lifetime: Lifetime::Caller,
            ..UpOptions::default()
        };
        let lab = tokio::task::spawn_blocking(|| Lab::up(options)).await??;
        install::manifests(&lab, &repository().join("kustomize/cluster"))?;
        let kubeconfig = Kubeconfig::read_from(lab.kubeconfig())?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        let world = Self {
            client: Client::try_from(config)?,
            _lab: lab,
        };
        let classes: Api<PodIdentityClass> = Api::all(world.client.clone());
        classes.create(&PostParams::default(), &class()?).await?;
        world.create_profiles(&Scene::one(PROBED, 1)).await?;
        Ok(world)
    }

    /// Makes the namespaces of a scene and their profiles, in each the last one at the end.
    pub(crate) async fn create_profiles(&self, scene: &Scene) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for name in scene.namespaces() {
            let namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
            namespaces
                .create(&PostParams::default(), &namespace)
                .await?;
        }
        let numbers = 1..scene.profiles;
        let others = scene.namespaces().flat_map(|namespace| {
            numbers
                .clone()
                .map(move |number| (namespace, format!("profile-{number}")))
        });
        self.create_all(others).await?;
        self.create_all(
            scene
                .namespaces()
                .map(|namespace| (namespace, LAST_PROFILE.to_owned())),
        )
        .await
    }

    async fn create_all(&self, profiles: impl Iterator<Item = (&str, String)>) -> Result<()> {
        let create = |(namespace, name): (&str, String)| {
            let api: Api<PodIdentityProfile> = Api::namespaced(self.client.clone(), namespace);
            async move {
                let object =
                    json!({ "metadata": { "name": name }, "spec": { "className": "bench" } });
                let object = serde_json::from_value(object)?;
                api.create(&PostParams::default(), &object).await?;
                anyhow::Ok(())
            }
        };
        let all = stream::iter(profiles.map(create));
        all.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Creates pods one after the other, in the namespaces of a scene in turn, and deletes them. How long each create
    /// took.
    pub(crate) async fn create_pods(
        &self,
        scene: &Scene,
        bound: bool,
        count: usize,
    ) -> Result<Vec<Duration>> {
        let drops = json!({ "capabilities": { "drop": ["NET_RAW"] } });
        let label = if bound { LAST_PROFILE } else { "" };
        let mut times = Vec::new();
        for (number, namespace) in scene.namespaces().cycle().take(count).enumerate() {
            let pod = pod(&format!("pod-{number}"), label, &drops)?;
            let path = Pod::url_path(&(), Some(namespace));
            let body = serde_json::to_vec(&pod)?;
            let request = Request::new(path).create(&PostParams::default(), body)?;
            let started = Instant::now();
            // As text: reading the pod that was made is this program's time, and not the API server's.
            self.client.request_text(request).await?;
            times.push(started.elapsed());
        }
        for namespace in scene.namespaces().take(count) {
            let at_once = DeleteParams::default().grace_period(0);
            self.pods(namespace)
                .delete_collection(&at_once, &ListParams::default())
                .await?;
        }
        Ok(times)
    }

    /// What the API server says against a pod of this label that keeps NET_RAW, if anything; none is made.
    pub(crate) async fn refusal(&self, namespace: &str, label: &str) -> Result<Option<String>> {
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let probe = pod("probe", label, &json!({}))?;
        match self.pods(namespace).create(&dry, &probe).await {
            Ok(_) => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 422 || status.code == 403 => {
                Ok(Some(status.message))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

fn class() -> Result<PodIdentityClass> {
    let class = json!({
        "metadata": { "name": "bench" },
        "spec": {
            "clusterName": "bench",
            "tenantId": TENANT,
            "subscriptionId": SUBSCRIPTION,
            "resourceGroup": RESOURCE_GROUP,
            "location": LOCATION,
            "nodeResourceGroup": NODE_GROUP,
            "limits": { "namespaces": { "names": ["*"] } },
        },
    });
    Ok(serde_json::from_value(class)?)
}

/// A pod with this label, or without one if it is empty.
fn pod(name: &str, label: &str, context: &Value) -> Result<Pod> {
    let labels = (!label.is_empty()).then(|| json!({ "aadpodidbinding": label }));
    let pod = json!({
        "metadata": { "name": name, "labels": labels },
        "spec": {
            // Nobody places it, and so nothing happens to it while others are measured.
            "schedulerName": "nobody",
            "containers": [{
                "name": "main", "image": "registry.example/app", "securityContext": context,
            }],
        },
    });
    Ok(serde_json::from_value(pod)?)
}
