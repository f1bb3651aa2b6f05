//! One class, `c`, in a cloud of one subscription.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicySpec;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Action;
use kube::runtime::reflector::store::{Store, Writer};
use kube::runtime::watcher::Event;
use podid_azure::{
    AzureError, Deleted, Location, Operation, Reply, ResourceGroup, ResourceGroupId, Result,
    RoleAssignment, RoleAssignmentSpec, RoleAssignments, RoleDefinition, Subscription,
    Subscriptions,
};
use podid_core::arm_budget::CallPriority;
use podid_core::binding::LegacyIdentities;
use podid_core::class::{Cloud, OperatorEnvironment};
use podid_core::condition::{Condition, READY};
use podid_core::net_raw::NetRaw;
use podid_core::node_guard::NodeSummary;
use podid_core::policy::{self, ShippedPolicy};
use podid_crds::podid::{PodIdentityClass, PodIdentityClassStatus, PodIdentityProfile};
use podid_crds::policy_digest;
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::annotations::REQUESTED_AT;
use crate::class::reconcile::reconcile;
use crate::class::{ClassContext, Schedule};
use crate::conditions::from_kubernetes;
use crate::fake_api_server::{self, failure};
use crate::gate;
use crate::leader::Leadership;
use crate::metrics::ControllerMetrics;
use crate::retry::Retries;

/// How often the class is compared with Azure.
pub(super) const INTERVAL: Duration = Duration::from_secs(600);

/// What is wrong with every call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// No connection.
    Silent,
    /// Too many calls; come back in a minute.
    Busy,
    /// A proxy answers with a page of its own.
    Proxy,
    /// Azure does not take the operator's token.
    SignedOut,
    /// The operator may not read.
    Forbidden,
    /// Only so many more calls leave, so that Azure's limits are kept.
    Left(usize),
}

/// When calls that do not leave are to come again.
pub(super) const HELD_BACK: Duration = Duration::from_secs(2);

#[derive(Default)]
struct State {
    class: Value,
    /// What Azure was asked.
    calls: Vec<String>,
    /// Whether somebody waited for the last of them.
    priority: Option<CallPriority>,
    /// Reasons that were written.
    statuses: Vec<String>,
    fault: Option<Fault>,
    pods: Vec<Value>,
    removed_policy: String,
}

/// The class, its controller and the cloud.
pub(super) struct Fixture {
    state: Arc<Mutex<State>>,
    context: Arc<ClassContext>,
    profiles: Writer<PodIdentityProfile>,
    namespaces: Writer<PartialObjectMeta<Namespace>>,
    nodes: watch::Sender<Option<NodeSummary>>,
}

impl Fixture {
    /// A class that fits the cloud but for `changes`.
    pub(super) fn new(changes: Value) -> Self {
        let mut spec = json!({
            "clusterName": "k", "tenantId": "t", "subscriptionId": "s", "resourceGroup": "ids",
            "location": "westeurope", "nodeResourceGroup": "nodes",
        });
        merge(&mut spec, changes);
        let state = State {
            class: json!({
                "apiVersion": "podid.dev/v1alpha1",
                "kind": "PodIdentityClass",
                "metadata": { "name": "c", "uid": "u", "generation": 1 },
                "spec": spec,
            }),
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let profiles = Writer::default();
        let namespaces = Writer::default();
        let (nodes, receiver) = watch::channel(None);
        let stores = (profiles.as_reader(), namespaces.as_reader());
        let context = Arc::new(context(&state, stores, &receiver));
        Self {
            state,
            context,
            profiles,
            namespaces,
            nodes,
        }
    }

    /// One reconciliation, by a controller whose cache is behind: it shows the class as it was
    /// when it was made.
    pub(super) async fn reconcile(&self) -> Action {
        let class = Arc::new(PodIdentityClass {
            status: None,
            ..self.class()
        });
        let done = reconcile(class, Arc::clone(&self.context)).await;
        done.expect("the API server takes everything")
    }

    /// Another spec, as its author commits it.
    pub(super) fn change(&self, changes: Value) {
        let mut state = lock(&self.state);
        let generation = state.class["metadata"]["generation"].as_i64();
        state.class["metadata"]["generation"] = json!(generation.expect("a number") + 1);
        merge(&mut state.class["spec"], changes);
    }

    /// A person asks for a comparison.
    pub(super) fn request(&self, value: &str) {
        let annotation = json!({ REQUESTED_AT: value });
        lock(&self.state).class["metadata"]["annotations"] = annotation;
    }

    /// The last request that was handled.
    pub(super) fn handled(&self) -> Option<String> {
        self.class().status?.last_handled_reconcile_at
    }

    /// Another profile uses the class.
    pub(super) fn profile_comes(&mut self, name: &str) {
        let spec = json!({ "className": "c" });
        let spec = serde_json::from_value(spec).expect("a spec");
        let mut profile = PodIdentityProfile::new(name, spec);
        profile.metadata.namespace = Some("ns".to_owned());
        self.profiles.apply_watcher_event(&Event::Apply(profile));
    }

    /// A namespace is there.
    pub(super) fn namespace_comes(&mut self, name: &str) {
        let metadata = json!({ "metadata": { "name": name } });
        let namespace = serde_json::from_value(metadata).expect("a namespace");
        self.namespaces
            .apply_watcher_event(&Event::Apply(namespace));
    }

    /// The pods of the cluster.
    pub(super) fn pods_are(&self, pods: &[Value]) {
        lock(&self.state).pods = pods.to_vec();
    }

    /// A policy is removed by hand.
    pub(super) fn remove_policy(&self, name: &str) {
        lock(&self.state).removed_policy = name.to_owned();
    }

    /// A sub-condition: its status and reason.
    pub(super) fn part(&self, kind: &str) -> Option<(String, String)> {
        let conditions = self.status().conditions.expect("conditions");
        let mut found = conditions.into_iter().filter(|one| one.type_ == kind);
        found.next().map(|one| (one.status, one.reason))
    }

    /// How many profiles the status counts.
    pub(super) fn counted(&self) -> Option<i32> {
        self.class().status.expect("a status").profiles
    }

    /// The nodes are looked at.
    pub(super) fn nodes_are(&self, summary: NodeSummary) {
        self.nodes.send_replace(Some(summary));
    }

    /// The whole status.
    pub(super) fn status(&self) -> PodIdentityClassStatus {
        self.class().status.expect("a status")
    }

    pub(super) fn strike(&self, fault: Option<Fault>) {
        lock(&self.state).fault = fault;
    }

    pub(super) fn ready(&self) -> Condition<Time> {
        let status = self.class().status.expect("a status");
        let conditions = status.conditions.expect("conditions");
        let mut conditions = conditions.iter().map(from_kubernetes);
        conditions.find(|c| c.kind == READY).expect("Ready")
    }

    pub(super) fn calls(&self) -> Vec<String> {
        lock(&self.state).calls.clone()
    }

    /// Whether somebody waited for the last call.
    pub(super) fn priority(&self) -> Option<CallPriority> {
        lock(&self.state).priority
    }

    pub(super) fn statuses(&self) -> Vec<String> {
        lock(&self.state).statuses.clone()
    }

    fn class(&self) -> PodIdentityClass {
        serde_json::from_value(lock(&self.state).class.clone()).expect("a class")
    }
}

fn merge(into: &mut Value, changes: Value) {
    let Value::Object(changes) = changes else {
        panic!("not an object")
    };
    for (key, value) in changes {
        into[key] = value;
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no test has panicked in here")
}

fn context(
    state: &Arc<Mutex<State>>,
    (profiles, namespaces): (
        Store<PodIdentityProfile>,
        Store<PartialObjectMeta<Namespace>>,
    ),
    nodes: &watch::Receiver<Option<NodeSummary>>,
) -> ClassContext {
    let client = api_server(Arc::clone(state));
    let (_, leadership) = Leadership::fixed(true);
    ClassContext {
        events: podid_index::events::channel(1).0,
        client,
        subscriptions: Arc::new(Fake(Arc::clone(state))),
        roles: Arc::new(Fake(Arc::clone(state))),
        operator: OperatorEnvironment {
            cloud: Some(Cloud::AzurePublicCloud),
            tenant_id: None,
        },
        profiles,
        namespaces,
        namespace: "podid-system".to_owned(),
        policies: policies(),
        nodes: nodes.clone(),
        leadership,
        metrics: ControllerMetrics::register(&mut prometheus_client::registry::Registry::default()),
        interval: INTERVAL,
        schedule: Schedule::default(),
        retries: Retries::default(),
    }
}

/// The policies of an installation, each of which says nothing here.
fn policies() -> Vec<ShippedPolicy> {
    let says = policy_digest(&ValidatingAdmissionPolicySpec::default(), "podid-system");
    let wanted = policy::wanted(LegacyIdentities::Any, NetRaw::Ignore);
    let saying = |policy| ShippedPolicy { says, ..policy };
    wanted.into_iter().map(saying).collect()
}

/// An API server that takes statuses and Events.
fn api_server(state: Arc<Mutex<State>>) -> Client {
    fake_api_server::client(move |_, path, mut body| {
        let state = Arc::clone(&state);
        async move {
            if path.ends_with("/podidentityclasses/c") {
                body = lock(&state).class.clone();
            }
            if path.ends_with("/podidentityclasses/c/status") {
                let mut state = lock(&state);
                let status = body["status"].take();
                let reason = status["conditions"][0]["reason"].as_str();
                state.statuses.push(reason.unwrap_or_default().to_owned());
                state.class["status"] = status;
                body = state.class.clone();
            }
            if path.ends_with("/pods") {
                let namespace = path.split('/').nth_back(1).unwrap_or_default();
                let of = |pod: &&Value| {
                    ["v1", pod["metadata"]["namespace"].as_str().unwrap()].contains(&namespace)
                };
                let pods: Vec<Value> = lock(&state).pods.iter().filter(of).cloned().collect();
                body = json!({ "metadata": {}, "items": pods });
            }
            let policy = path
                .rsplit('/')
                .next()
                .filter(|_| path.contains("/validatingadmission"));
            if let Some(policy) = policy {
                if lock(&state).removed_policy == policy {
                    return failure(StatusCode::NOT_FOUND);
                }
                let actions = ["Deny", "Warn"];
                let spec = json!({ "policyName": policy, "validationActions": actions });
                body = json!({ "metadata": { "name": policy }, "spec": spec });
            }
            (StatusCode::OK, body)
        }
    })
}

/// Azure: subscription `s` of tenant `t`, its groups `ids` and `nodes`, two regions, one custom
/// role.
#[derive(Clone)]
struct Fake(Arc<Mutex<State>>);

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

impl Fake {
    fn asked(&self, operation: Operation, of: &str) -> Result<()> {
        let mut state = lock(&self.0);
        if let Some(Fault::Left(calls)) = &mut state.fault {
            *calls = calls
                .checked_sub(1)
                .ok_or_else(|| held_back(operation, of))?;
        }
        state.calls.push(format!("{operation} {of}"));
        state.priority = Some(gate::priority());
        let refused = |reply| Err(AzureError::refused(operation, of, reply));
        match state.fault {
            None | Some(Fault::Left(_)) => Ok(()),
            Some(Fault::Silent) => Err(AzureError::NoAnswer {
                operation,
                resource: of.to_owned(),
                host: "arm".to_owned(),
                source: "connection refused".into(),
            }),
            Some(Fault::Busy) => refused(Reply {
                retry_after: Some(Duration::from_secs(60)),
                ..Reply::new(429, "TooManyRequests", "Slow down.")
            }),
            Some(Fault::Proxy) => refused(Reply::new(404, "", "<html>")),
            Some(Fault::SignedOut) => refused(Reply::new(401, "InvalidAuthenticationToken", "no")),
            Some(Fault::Forbidden) => refused(Reply::new(403, "AuthorizationFailed", "no")),
        }
    }
}

fn held_back(operation: Operation, of: &str) -> AzureError {
    AzureError::NotSent {
        operation,
        resource: of.to_owned(),
        source: "too many".into(),
        retry_after: Some(HELD_BACK),
        next_step: "wait".to_owned(),
    }
}

#[async_trait]
impl Subscriptions for Fake {
    async fn get(&self, id: &str) -> Result<Option<Subscription>> {
        self.asked(Operation::GetSubscription, id)?;
        let (found, tenant_id) = (id.to_owned(), "t".to_owned());
        Ok((id == "s").then_some(Subscription {
            id: found,
            tenant_id,
        }))
    }

    async fn locations(&self, id: &str) -> Result<Vec<Location>> {
        self.asked(Operation::ListLocations, id)?;
        let location = |name: &str| Location {
            name: name.to_owned(),
            display_name: name.to_uppercase(),
        };
        Ok(["eastus", "westeurope"].map(location).into())
    }

    async fn group(&self, id: &ResourceGroupId) -> Result<Option<ResourceGroup>> {
        self.asked(Operation::GetResourceGroup, &id.to_string())?;
        if id.subscription != "s" {
            let reply = Reply::new(404, "SubscriptionNotFound", "no");
            let operation = Operation::GetResourceGroup;
            return Err(AzureError::refused(operation, id.to_string(), reply));
        }
        let is_there = ["ids", "nodes"].contains(&id.group.as_str());
        Ok(is_there.then(|| ResourceGroup {
            id: id.clone(),
            location: "westeurope".to_owned(),
        }))
    }
}

#[async_trait]
impl RoleAssignments for Fake {
    async fn list(&self, scope: &str) -> Result<Vec<RoleAssignment>> {
        panic!("the class controller asks about one principal at {scope}")
    }

    async fn list_for_principal(&self, scope: &str, _: &str) -> Result<Vec<RoleAssignment>> {
        self.asked(Operation::ListRoleAssignments, scope)?;
        Ok(Vec::new())
    }

    async fn put(&self, scope: &str, _: Uuid, _: &RoleAssignmentSpec) -> Result<RoleAssignment> {
        panic!("the class controller writes nothing to Azure, and not at {scope}")
    }

    async fn delete(&self, id: &str) -> Result<Deleted> {
        panic!("the class controller deletes nothing in Azure, and not {id}")
    }

    async fn role_definition_by_name(
        &self,
        scope: &str,
        name: &str,
    ) -> Result<Option<RoleDefinition>> {
        self.asked(Operation::FindRoleDefinition, scope)?;
        Ok((name == "Payments Auditor").then(|| RoleDefinition {
            id: "r".to_owned(),
            role_name: name.to_owned(),
        }))
    }
}
