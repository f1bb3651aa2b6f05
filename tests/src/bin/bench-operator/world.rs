//! The cluster and the cloud around the operator: nodes and pods that nobody runs, and simulated scale sets.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Resource};
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_lab::layout::{LOCATION, NODE_GROUP, RESOURCE_GROUP, SUBSCRIPTION, TENANT};
use podid_lab::{Flux, Lab, Lifetime, NodeKind, UpOptions, install};
use podid_tests::programs::repository;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Profiles of one team.
pub(crate) const PROFILES_PER_NAMESPACE: usize = 2;
/// The namespace of what no team has.
const CROWD: &str = "crowd";
const CLASS: &str = "bench";
const SETS: usize = 3;
const NODES_OF_SET: usize = 10;
const VMS: usize = 10;
const NODES: usize = SETS * NODES_OF_SET + VMS;
/// Identities that one change of a VM or scale set may add or remove.
const IDENTITIES_PER_CHANGE: usize = 100;
/// Requests to the API server at once.
const AT_ONCE: usize = 32;
/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(1800);
/// Looks at a running change in Azure that find it unfinished.
const POLLS: u32 = 3;

pub(crate) struct World {
    pub(crate) lab: Lab,
    client: Client,
    profiles: usize,
    idle_profiles: usize,
    change: Duration,
}

impl World {
    pub(crate) async fn start(
        profiles: usize,
        idle_profiles: usize,
        change_seconds: u32,
    ) -> Result<Self> {
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
            lab,
            profiles,
            idle_profiles,
            change: Duration::from_secs(change_seconds.into()),
        };
        world.prepare(change_seconds).await?;
        Ok(world)
    }

    async fn prepare(&self, change_seconds: u32) -> Result<()> {
        self.admin("/seed", &seed()).await?;
        // The last look, which finds it done, comes after one wait more.
        let wait = f64::from(change_seconds) / f64::from(POLLS + 1);
        let course = json!({ "kind": "async", "polls": POLLS, "retryAfter": wait });
        for operation in ["arm.vmss.patch", "arm.vm.patch"] {
            let fault = json!({ "operation": operation, "effect": course });
            self.arm(&fault).await?;
        }
        let nodes: Api<Node> = Api::all(self.client.clone());
        for number in 0..NODES {
            nodes.create(&PostParams::default(), &node(number)?).await?;
        }
        let classes: Api<PodIdentityClass> = Api::all(self.client.clone());
        classes.create(&PostParams::default(), &class()?).await?;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for name in self.namespaces().into_iter().chain([CROWD.to_owned()]) {
            let namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
            namespaces
                .create(&PostParams::default(), &namespace)
                .await?;
        }
        Ok(())
    }

    /// Of all profiles, those with pods first.
    fn numbers(&self) -> Range<usize> {
        0..self.profiles + self.idle_profiles
    }

    fn namespaces(&self) -> BTreeSet<String> {
        self.numbers().map(namespace).collect()
    }

    /// How long Azure needs at least until the VMs and scale sets have the identities of this many pods: those of one
    /// change after the other, on all at the same time.
    pub(crate) fn bound(&self, pods: usize) -> Duration {
        let mut identities: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for pod in 0..pods {
            let target = target_of(node_of(pod, self.profiles));
            identities
                .entry(target)
                .or_default()
                .insert(pod % self.profiles);
        }
        let most = identities
            .values()
            .map(BTreeSet::len)
            .max()
            .unwrap_or_default();
        let changes = most.div_ceil(IDENTITIES_PER_CHANGE);
        self.change * u32::try_from(changes).unwrap_or(u32::MAX)
    }

    /// All profiles, those with pods first.
    pub(crate) async fn create_profiles(&self) -> Result<()> {
        self.each(self.numbers(), async |number| {
            self.create_profile(&namespace(number), &profile(number))
                .await
        })
        .await
    }

    /// Profiles of one namespace, named after a word.
    pub(crate) async fn create_profiles_named(&self, word: &str, count: usize) -> Result<()> {
        self.each(0..count, async |number| {
            self.create_profile(CROWD, &format!("{word}{number}")).await
        })
        .await
    }

    async fn create_profile(&self, namespace: &str, name: &str) -> Result<()> {
        let api: Api<PodIdentityProfile> = Api::namespaced(self.client.clone(), namespace);
        let profile = json!({ "metadata": { "name": name }, "spec": { "className": CLASS } });
        create(&api, &profile).await
    }

    /// Waits for so many profiles whose names begin with a word.
    pub(crate) async fn until_ready(&self, word: &str, wanted: usize) -> Result<()> {
        self.until("all profiles are ready", async || {
            let profiles = self.all_profiles().await?;
            let ready = profiles.iter().filter(|profile| {
                let name = profile.metadata.name.as_deref();
                name.is_some_and(|name| name.starts_with(word)) && is_ready(profile)
            });
            Ok(ready.count() == wanted)
        })
        .await
    }

    pub(crate) async fn until_assigned(&self, pods: usize) -> Result<()> {
        self.until("all pods have their identity", async || {
            let profiles = self.all_profiles().await?;
            let status = profiles
                .iter()
                .filter_map(|profile| profile.status.as_ref());
            let counts = status.map(|status| (status.bound_pods, status.assigned_pods));
            let (mut bound, mut assigned) = (0, 0);
            for (of_bound, of_assigned) in counts {
                bound += usize::try_from(of_bound.unwrap_or_default())?;
                assigned += usize::try_from(of_assigned.unwrap_or_default())?;
            }
            Ok(bound == pods && assigned == pods)
        })
        .await
    }

    pub(crate) async fn until_nothing_carried(&self) -> Result<()> {
        self.until(
            "no VM and no scale set of the benchmark has an identity",
            async || {
                let url = format!("{}/state", self.lab.sim_admin_url());
                let state: Value = reqwest::get(url).await?.json().await?;
                let of_kind = |kind: &str| state[kind].as_array().cloned().unwrap_or_default();
                let machines = of_kind("scaleSets")
                    .into_iter()
                    .chain(of_kind("virtualMachines"));
                // The lab's own node has an identity of its own.
                let is_of_bench = |machine: &Value| {
                    let id = machine["id"].as_str();
                    id.is_some_and(|id| id.contains("/bench-"))
                };
                let is_bare = |machine: &Value| {
                    let carried = machine["userAssigned"].as_array();
                    carried.is_none_or(Vec::is_empty) && machine["provisioningState"] == "Succeeded"
                };
                let mut machines = machines.into_iter().filter(is_of_bench);
                Ok(machines.all(|machine| is_bare(&machine)))
            },
        )
        .await
    }

    /// Creates pods evenly over a time.
    pub(crate) async fn create_pods(
        &self,
        generation: &str,
        pods: usize,
        spread: Duration,
    ) -> Result<()> {
        let started = Instant::now();
        let pause = spread / u32::try_from(pods.max(1))?;
        self.each(0..pods, async |number| {
            sleep_until(started + pause * u32::try_from(number)?).await;
            self.create_pod(generation, number).await
        })
        .await
    }

    async fn create_pod(&self, generation: &str, number: usize) -> Result<()> {
        let of = number % self.profiles;
        let labels = json!({ "aadpodidbinding": profile(of) });
        let name = format!("pod-{number}-{generation}");
        let pod = pod(&name, &node_name(node_of(number, self.profiles)), &labels);
        create(&self.pods_of(&namespace(of)), &pod).await
    }

    async fn delete_pod(&self, generation: &str, number: usize) -> Result<()> {
        let pods = self.pods_of(&namespace(number % self.profiles));
        let at_once = DeleteParams::default().grace_period(0);
        let name = format!("pod-{number}-{generation}");
        pods.delete(&name, &at_once).await?;
        Ok(())
    }

    /// Each pod of the old generation goes when one of the new is there.
    pub(crate) async fn replace_pods(&self, old: &str, new: &str, pods: usize) -> Result<()> {
        self.each(0..pods, async |number| {
            self.create_pod(new, number).await?;
            self.delete_pod(old, number).await
        })
        .await
    }

    pub(crate) async fn delete_pods(&self, generation: &str, pods: usize) -> Result<()> {
        let delete = async |number| self.delete_pod(generation, number).await;
        self.each(0..pods, delete).await
    }

    /// Pods whose label no binding selects. Those without the label the API server does not even send to the operator.
    pub(crate) async fn create_crowd(&self, numbers: Range<usize>) -> Result<()> {
        self.each(numbers, async |number| {
            let pod = pod(
                &format!("crowd-{number}"),
                &node_name(number % NODES),
                &json!({ "aadpodidbinding": "nobody" }),
            );
            create(&self.pods_of(CROWD), &pod).await
        })
        .await
    }

    /// Changes a thousand of them; how many changes there were.
    pub(crate) async fn touch_crowd(&self, size: usize) -> Result<usize> {
        let touched = size.min(1000);
        let stamp = json!({ "metadata": { "annotations": { "bench": size.to_string() } } });
        self.each(0..touched, async |number| {
            let name = format!("crowd-{number}");
            let (pods, patch) = (self.pods_of(CROWD), Patch::Merge(&stamp));
            pods.patch(&name, &PatchParams::default(), &patch).await?;
            Ok(())
        })
        .await?;
        Ok(touched)
    }

    fn pods_of(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    async fn all_profiles(&self) -> Result<Vec<PodIdentityProfile>> {
        let api: Api<PodIdentityProfile> = Api::all(self.client.clone());
        Ok(api.list(&ListParams::default()).await?.items)
    }

    async fn each(
        &self,
        numbers: Range<usize>,
        work: impl AsyncFn(usize) -> Result<()>,
    ) -> Result<()> {
        let work = &work;
        let all = stream::iter(numbers).map(|number| async move { work(number).await });
        all.buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn until(&self, what: &str, is: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let looking = async {
            while !is().await? {
                sleep(Duration::from_millis(250)).await;
            }
            Ok(())
        };
        timeout(LIMIT, looking)
            .await
            .with_context(|| format!("{what}: not within {LIMIT:?}"))?
    }

    /// Arms a fault of the simulated Azure, which ends with the call to the returned path.
    pub(crate) async fn arm(&self, fault: &Value) -> Result<String> {
        let armed = self.admin("/faults", fault).await?;
        Ok(format!("/faults/{}", armed["id"]))
    }

    pub(crate) async fn disarm(&self, path: &str) -> Result<()> {
        let url = format!("{}{path}", self.lab.sim_admin_url());
        reqwest::Client::new()
            .delete(url)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    async fn admin(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.lab.sim_admin_url());
        let answer = reqwest::Client::new().post(url).json(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}

async fn create<K>(api: &Api<K>, object: &Value) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned,
{
    let object: K = serde_json::from_value(object.clone())?;
    api.create(&PostParams::default(), &object).await?;
    Ok(())
}

fn is_ready(profile: &PodIdentityProfile) -> bool {
    let status = profile.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|one| one.type_ == "Ready" && one.status == "True")
}

fn profile(number: usize) -> String {
    format!("profile-{number}")
}

fn namespace(profile: usize) -> String {
    format!("team-{}", profile / PROFILES_PER_NAMESPACE)
}

fn node_name(number: usize) -> String {
    format!("bench-{number}")
}

/// The pods of a profile are on nodes far from each other, so that every scale set comes to have most identities.
fn node_of(pod: usize, profiles: usize) -> usize {
    (pod + pod / profiles * 7) % NODES
}

/// The scale set or VM under a node, as a number.
fn target_of(node: usize) -> usize {
    match node.checked_sub(SETS * NODES_OF_SET) {
        Some(vm) => SETS + vm,
        None => node / NODES_OF_SET,
    }
}

fn set_name(number: usize) -> String {
    format!("bench-set-{number}")
}

fn seed() -> Value {
    let sets = (0..SETS).map(|set| {
        let instances = (0..NODES_OF_SET).map(|instance| {
            let node = node_name(set * NODES_OF_SET + instance);
            json!({ "id": instance.to_string(), "computerName": node })
        });
        let instances: Vec<Value> = instances.collect();
        json!({ "name": set_name(set), "resourceGroup": NODE_GROUP, "instances": instances })
    });
    let vms = (SETS * NODES_OF_SET..NODES)
        .map(|node| json!({ "name": node_name(node), "resourceGroup": NODE_GROUP }));
    json!({
        "subscriptions": [SUBSCRIPTION],
        "location": LOCATION,
        "scaleSets": sets.collect::<Vec<_>>(),
        "virtualMachines": vms.collect::<Vec<_>>(),
    })
}

fn node(number: usize) -> Result<Node> {
    let compute = format!(
        "azure:///subscriptions/{SUBSCRIPTION}/resourceGroups/{NODE_GROUP}/providers/Microsoft.Compute"
    );
    let name = node_name(number);
    let id = match number < SETS * NODES_OF_SET {
        true => format!(
            "{compute}/virtualMachineScaleSets/{}/virtualMachines/{}",
            set_name(number / NODES_OF_SET),
            number % NODES_OF_SET
        ),
        false => format!("{compute}/virtualMachines/{name}"),
    };
    let node = json!({ "metadata": { "name": name }, "spec": { "providerID": id } });
    Ok(serde_json::from_value(node)?)
}

pub(crate) fn class() -> Result<PodIdentityClass> {
    let class = json!({
        "metadata": { "name": CLASS },
        "spec": {
            "clusterName": CLASS,
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

fn pod(name: &str, node: &str, labels: &Value) -> Value {
    let drops = json!({ "capabilities": { "drop": ["NET_RAW"] } });
    json!({
        "metadata": { "name": name, "labels": labels },
        "spec": {
            "nodeName": node,
            "containers": [{
                "name": "main", "image": "registry.example/app", "securityContext": drops,
            }],
        },
    })
}
