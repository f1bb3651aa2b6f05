//! Azure and an API server in memory, which list in one order the calls that they got.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use kube::runtime::controller::Action;
use kube::runtime::reflector::store::{Store, Writer};
use kube::runtime::watcher::Event;
use podid_azure::{
    AzureError, Compute, ComputeIdentity, ComputeTarget, Deleted, Identities, IdentityId,
    IdentityPatch, Location, Operation, Reply, ResourceGroup, ResourceGroupId, Result,
    RoleAssignment, RoleAssignmentSpec, RoleAssignments, RoleDefinition, Subscription,
    Subscriptions, UserAssignedIdentity, UserAssignedIdentitySpec,
};
use podid_core::binding::Pod;
use podid_core::class::{Cloud, OperatorEnvironment};
use podid_core::profile::decide::Precheck;
use podid_core::profile::pods::BoundPods;
use podid_core::role::Role;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile, PodIdentityProfileStatus};
use podid_index::watch::Watched;
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::assigned_identity::{AssignmentView, ObjectKey};
use crate::azure::Azure;
use crate::gate::RequestBudget;
use crate::leader::{Leadership, LeadershipSender};
use crate::metrics::ControllerMetrics;
use crate::profile::error::ReconcileError;
use crate::profile::reconcile::reconcile;
use crate::profile::{
    Adoptions, ChildStores, EndedProfiles, FINALIZER, ProfileContext, ProfileQueue, Reminders,
    SharedLists, pods, precheck, recheck,
};
use crate::retry::Retries;

type Refusal = Box<dyn Fn() -> AzureError + Send>;

/// Everything there is, and what happened.
#[derive(Default)]
struct State {
    calls: Vec<String>,
    profile: Value,
    children: BTreeMap<String, Value>,
    identities: BTreeMap<String, UserAssignedIdentity>,
    role_assignments: Vec<RoleAssignment>,
    /// Assignments that exist and that lists do not show yet.
    unseen: Vec<(Uuid, String)>,
    lose_role_answer: bool,
    refuse_roles: Option<Refusal>,
    refuse_identities: Option<Refusal>,
    refuse_lists: bool,
    hold: Option<Hold>,
    hold_status: Option<Hold>,
}

impl State {
    /// Whether something may be listed.
    fn list(&self, operation: Operation, resource: &str) -> Result<()> {
        let reply = || Reply::new(403, "AuthorizationFailed", "no");
        match self.refuse_lists {
            true => Err(AzureError::refused(operation, resource, reply())),
            false => Ok(()),
        }
    }
}

/// Keeps calls waiting.
#[derive(Clone, Default)]
pub(in crate::profile) struct Hold {
    reached: Arc<Notify>,
    released: Arc<Notify>,
}

impl Hold {
    /// Waits until a call is held.
    pub(in crate::profile) async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets it go on.
    pub(in crate::profile) fn release(&self) {
        self.released.notify_one();
    }
}

/// One profile, `ns/p`, whose class `c` allows everything, and all that its controller talks to.
pub(in crate::profile) struct Fixture {
    state: Arc<Mutex<State>>,
    context: Arc<ProfileContext>,
    leads: LeadershipSender,
    classes: Writer<PodIdentityClass>,
}

impl Fixture {
    pub(in crate::profile) fn with_profile(spec: Value) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        lock(&state).profile = json!({
            "apiVersion": "podid.dev/v1alpha1",
            "kind": "PodIdentityProfile",
            "metadata": {
                "name": "p", "namespace": "ns", "uid": "u", "generation": 1,
                "finalizers": [FINALIZER],
            },
            "spec": spec,
        });
        let (leads, leadership) = Leadership::fixed(true);
        let mut classes = Writer::default();
        classes.apply_watcher_event(&Event::Apply(class("True", 1)));
        let context = Arc::new(context(&state, leadership, classes.as_reader()));
        Self {
            state,
            context,
            leads,
            classes,
        }
    }

    /// What the class's `Ready` says, and of which generation; the class is at its first.
    pub(in crate::profile) fn class_is(&mut self, ready: &str, observed: i64) {
        let event = Event::Apply(class(ready, observed));
        self.classes.apply_watcher_event(&event);
    }

    /// The class has these limits now.
    pub(in crate::profile) fn class_limits(&mut self, limits: Value) {
        let mut class = class("True", 1);
        class.spec.limits = serde_json::from_value(limits).expect("limits");
        self.classes.apply_watcher_event(&Event::Apply(class));
    }

    /// The class grants the kubelet identity what nodes need.
    pub(in crate::profile) fn class_grants(&mut self) {
        let mut class = class("True", 1);
        let grants = json!({ "principalId": "machines" });
        class.spec.node_grants = serde_json::from_value(grants).expect("grants");
        self.classes.apply_watcher_event(&Event::Apply(class));
    }

    /// The store has these profiles beside its own.
    pub(in crate::profile) fn beside(&mut self, others: &[PodIdentityProfile]) {
        let mut profiles = Writer::default();
        for profile in others.iter().cloned().chain([self.profile()]) {
            profiles.apply_watcher_event(&Event::Apply(profile));
        }
        self.context = Arc::new(ProfileContext {
            profiles: profiles.as_reader(),
            ..ProfileContext::clone(&self.context)
        });
    }

    /// The class is deleted.
    pub(in crate::profile) fn class_is_gone(&mut self) {
        let event = Event::Delete(class("True", 1));
        self.classes.apply_watcher_event(&event);
    }

    pub(in crate::profile) async fn reconcile(
        &self,
    ) -> std::result::Result<Action, ReconcileError> {
        reconcile(Arc::new(self.profile()), Arc::clone(&self.context)).await
    }

    /// What the profile controller works with.
    pub(in crate::profile) fn context(&self) -> &Arc<ProfileContext> {
        &self.context
    }

    /// Compares the profile with the lists; `None` when it is to be read by itself.
    pub(in crate::profile) async fn recheck(&self) -> Option<Action> {
        let context = ProfileContext {
            children: children(&lock(&self.state).children),
            ..ProfileContext::clone(&self.context)
        };
        let profile = self.profile();
        let Precheck::Admitted(desired) = precheck::precheck(&profile, &context) else {
            panic!("not admitted");
        };
        recheck::recheck(&profile, &desired, &context).await
    }

    /// Somebody deletes the object of this kind, by its plural.
    pub(in crate::profile) fn delete_child(&self, plural: &str) {
        let mut state = lock(&self.state);
        let before = state.children.len();
        state
            .children
            .retain(|path, _| !path.contains(&format!("/{plural}/")));
        assert!(state.children.len() < before, "none of {plural}");
    }

    /// Somebody deletes the identity.
    pub(in crate::profile) fn delete_identity_by_hand(&self, name: &str) {
        lock(&self.state)
            .identities
            .remove(name)
            .expect("one to delete");
    }

    /// Somebody takes all roles away.
    pub(in crate::profile) fn revoke_by_hand(&self) {
        lock(&self.state).role_assignments.clear();
    }

    /// Azure refuses to list anything.
    pub(in crate::profile) fn refuse_lists(&self) {
        lock(&self.state).refuse_lists = true;
    }

    /// What becomes of the pods of the profile.
    pub(in crate::profile) fn bind(&self, pods: BoundPods) {
        let key = ObjectKey::new("ns", "p");
        self.context.assignment_view.set_bound_pods(&key, pods);
    }

    /// A labelled pod that breaks the rule runs, and nobody has counted it yet.
    pub(in crate::profile) fn run(&self, pod: &Pod) {
        let key = ObjectKey::new(&pod.namespace, &pod.name);
        self.context
            .assignment_view
            .set_pod_breaking_rule(&key, Some(pod));
    }

    /// Another process takes over, to whom nothing is known of pods yet.
    pub(in crate::profile) fn restart(&mut self) {
        let (assignment_view, _) = AssignmentView::new();
        self.context = Arc::new(ProfileContext {
            assignment_view,
            ..ProfileContext::clone(&self.context)
        });
    }

    /// Everything about pods has been seen once.
    pub(in crate::profile) fn pods_are_known(&self) {
        self.context.assignment_view.set_known();
    }

    /// Another replica leads.
    pub(in crate::profile) fn follow(&self) {
        self.leads.lose();
    }

    pub(in crate::profile) fn profile(&self) -> PodIdentityProfile {
        serde_json::from_value(lock(&self.state).profile.clone()).expect("a profile")
    }

    /// Another spec, as its author commits it.
    pub(in crate::profile) fn change(&self, spec: Value) {
        let mut state = lock(&self.state);
        let generation = state.profile["metadata"]["generation"]
            .as_i64()
            .expect("a number");
        state.profile["metadata"]["generation"] = json!(generation + 1);
        state.profile["spec"] = spec;
    }

    pub(in crate::profile) fn calls(&self) -> Vec<String> {
        lock(&self.state).calls.clone()
    }

    pub(in crate::profile) fn forget_calls(&self) {
        lock(&self.state).calls.clear();
    }

    pub(in crate::profile) fn writes(&self) -> Vec<String> {
        self.calls()
            .into_iter()
            .filter(|entry| !entry.starts_with("read"))
            .collect()
    }

    /// The author deletes the profile.
    pub(in crate::profile) fn delete(&self) {
        lock(&self.state).profile["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    }

    /// The same, at this moment.
    pub(in crate::profile) fn delete_now(&self) {
        let now = serde_json::to_value(crate::conditions::now()).expect("JSON");
        lock(&self.state).profile["metadata"]["deletionTimestamp"] = now;
    }

    /// Somebody deletes the identity and makes another of the same name.
    pub(in crate::profile) fn make_anew_by_hand(&self, name: &str) {
        let mut state = lock(&self.state);
        let identity = state.identities.get_mut(name).expect("one to make anew");
        identity.tags = BTreeMap::new();
        identity.principal_id = "theirs".into();
    }

    /// Names of the identities there are.
    pub(in crate::profile) fn identities(&self) -> Vec<String> {
        lock(&self.state).identities.keys().cloned().collect()
    }

    /// How many roles anybody has.
    pub(in crate::profile) fn roles(&self) -> usize {
        lock(&self.state).role_assignments.len()
    }

    pub(in crate::profile) fn assign_by_hand_unseen(&self, role: &str, scope: &str) {
        let role = Role::parse(role).id().expect("a known role");
        lock(&self.state).unseen.push((role, scope.to_owned()));
    }

    /// The profile's status names this identity.
    pub(in crate::profile) fn set_identity(&self, resource_id: &str) {
        self.set_status(json!({
            "identity": {
                "clientId": "c", "principalId": "p", "tenantId": "t", "resourceId": resource_id,
                "created": true,
            },
        }));
    }

    /// The profile has this status.
    pub(in crate::profile) fn set_status(&self, status: Value) {
        lock(&self.state).profile["status"] = status;
    }

    /// What the controller works with: the profile is in its store, and `assignment_view` answers.
    pub(in crate::profile) fn context_with(
        &self,
        assignment_view: AssignmentView,
    ) -> Arc<ProfileContext> {
        let mut profiles = Writer::default();
        profiles.apply_watcher_event(&Event::Apply(self.profile()));
        Arc::new(ProfileContext {
            profiles: profiles.as_reader(),
            assignment_view,
            ..ProfileContext::clone(&self.context)
        })
    }

    /// Holds up writes of the profile's status.
    pub(in crate::profile) fn hold_status_writes(&self) -> Hold {
        lock(&self.state)
            .hold_status
            .insert(Hold::default())
            .clone()
    }

    /// Holds up writes of identities.
    pub(in crate::profile) fn hold_identity_writes(&self) -> Hold {
        lock(&self.state).hold.insert(Hold::default()).clone()
    }

    pub(in crate::profile) fn lose_next_role_answer(&self) {
        lock(&self.state).lose_role_answer = true;
    }

    pub(in crate::profile) fn refuse_roles(
        &self,
        refusal: impl Fn() -> AzureError + Send + 'static,
    ) {
        lock(&self.state).refuse_roles = Some(Box::new(refusal));
    }

    pub(in crate::profile) fn refuse_identities(
        &self,
        refusal: impl Fn() -> AzureError + Send + 'static,
    ) {
        lock(&self.state).refuse_identities = Some(Box::new(refusal));
    }

    /// Azure refuses nothing any more.
    pub(in crate::profile) fn refuse_nothing(&self) {
        let mut state = lock(&self.state);
        (state.refuse_roles, state.refuse_identities) = (None, None);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no test has panicked in here")
}

fn context(
    state: &Arc<Mutex<State>>,
    leadership: Leadership,
    classes: Store<PodIdentityClass>,
) -> ProfileContext {
    let client = api_server(Arc::clone(state));
    let fake = Fake(Arc::clone(state));
    let (assignment_view, _) = AssignmentView::new();
    assignment_view.set_known();
    ProfileContext {
        events: podid_index::events::channel(1).0,
        client,
        azure: Azure {
            identities: Arc::new(fake.clone()),
            roles: Arc::new(fake.clone()),
            subscriptions: Arc::new(fake.clone()),
            compute: Arc::new(fake),
        },
        operator: OperatorEnvironment {
            cloud: Some(Cloud::AzurePublicCloud),
            tenant_id: None,
        },
        classes,
        namespaces: Writer::default().as_reader(),
        namespace: "podid-system".to_owned(),
        profiles: Writer::default().as_reader(),
        assignment_view,
        queue: ProfileQueue::new(1, RequestBudget::new(leadership.clone())),
        leadership,
        metrics: ControllerMetrics::register(&mut prometheus_client::registry::Registry::default()),
        interval: Duration::from_secs(600),
        children: children(&BTreeMap::new()),
        adoptions: Adoptions::default(),
        ended: EndedProfiles::default(),
        lists: SharedLists::default(),
        retries: Retries::default(),
        reminders: Reminders::default(),
    }
}

/// What the watches of a profile's objects have.
fn children(objects: &BTreeMap<String, Value>) -> ChildStores {
    ChildStores {
        azure_identities: store(objects, "/azureidentities/"),
        bindings: store(objects, "/azureidentitybindings/"),
    }
}

fn store<K: Watched>(objects: &BTreeMap<String, Value>, path: &str) -> Store<K> {
    let mut writer = Writer::default();
    let of_kind = objects.iter().filter(|(at, _)| at.contains(path));
    for (_, object) in of_kind {
        let object = serde_json::from_value(object.clone()).expect("an object of its kind");
        writer.apply_watcher_event(&Event::Apply(object));
    }
    writer.as_reader()
}

fn class(ready: &str, observed: i64) -> PodIdentityClass {
    serde_json::from_value(json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityClass",
        "metadata": { "name": "c", "generation": 1 },
        "spec": {
            "clusterName": "k", "tenantId": "t", "subscriptionId": "s", "resourceGroup": "ids",
            "location": "westeurope", "nodeResourceGroup": "nodes",
            "limits": {
                "namespaces": { "names": ["*"] },
                "allowNetRaw": true,
                "access": [{ "role": "Reader", "scopes": ["/subscriptions/s"] }],
            },
        },
        "status": { "conditions": [{
            "type": "Ready", "status": ready, "observedGeneration": observed, "reason": "R",
            "message": "said of the class", "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]},
    }))
    .expect("a class")
}

/// An API server that holds one profile, its children and the policies.
fn api_server(state: Arc<Mutex<State>>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let state = Arc::clone(&state);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.expect("a body");
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let path = parts.uri.path().to_owned();
            let hold = lock(&state).hold_status.clone();
            if let Some(hold) = hold.filter(|_| path.ends_with("/status")) {
                hold.reached.notify_one();
                hold.released.notified().await;
            }
            let (status, body) = answer(&mut lock(&state), &parts.method, &path, body);
            let body = Body::from(serde_json::to_vec(&body).expect("JSON"));
            Ok::<_, std::convert::Infallible>(
                Response::builder()
                    .status(status)
                    .body(body)
                    .expect("a response"),
            )
        }
    });
    Client::new(service, "ns")
}

/// What the manifests say for `netRaw: Enforce`, or for `Audit`.
fn shipped_policy(audits: bool) -> Value {
    let file = include_str!("../../../../kustomize/cluster/policies/net-raw/rule/policy.yaml");
    let audit = file
        .replace("'Enforce'\"", "'Audit'\"")
        .replace("Policy: Fail", "Policy: Ignore");
    let file = if audits { &audit } else { file };
    let mut object: Value = serde_saphyr::from_str(file).expect("YAML");
    object["spec"].take()
}

fn answer(state: &mut State, method: &Method, path: &str, body: Value) -> (StatusCode, Value) {
    if path.contains("/admissionregistration.k8s.io/") {
        let name = path.rsplit('/').next();
        let spec = match path.contains("/validatingadmissionpolicies/") {
            true => shipped_policy(path.ends_with("-audit")),
            false => json!({ "policyName": name, "validationActions": ["Deny", "Warn"] }),
        };
        let object = json!({ "metadata": { "name": name }, "spec": spec });
        return (StatusCode::OK, object);
    }
    if path.contains("/events") {
        return (StatusCode::CREATED, body);
    }
    if path.ends_with("/podidentityprofiles/p") {
        return (StatusCode::OK, state.profile.clone());
    }
    if path.ends_with("/podidentityprofiles/p/status") {
        apply_status(state, &body["status"]);
        return (StatusCode::OK, state.profile.clone());
    }
    if method == Method::GET {
        let found = state.children.get(path).cloned();
        return found.map_or_else(not_found, |child| (StatusCode::OK, child));
    }
    if method == Method::DELETE {
        state.calls.push("delete object".to_owned());
        state.children.remove(path);
        let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" });
        return (StatusCode::OK, status);
    }
    state.calls.push(format!(
        "apply {}",
        body["kind"].as_str().unwrap_or_default()
    ));
    state.children.insert(path.to_owned(), body.clone());
    (StatusCode::OK, body)
}

/// Server-side apply by two owners, as far as it matters here: who counts pods, and who does the rest.
fn apply_status(state: &mut State, new: &Value) {
    let read = |status: &Value| -> PodIdentityProfileStatus {
        serde_json::from_value(status.clone()).unwrap_or_default()
    };
    let (old, new) = (read(&state.profile["status"]), read(new));
    let merged = match new.bound_pods {
        Some(_) => pods::keeping_pods(old, &new),
        None => {
            let first = new.conditions.iter().flatten().next();
            let reason = first.map(|ready| ready.reason.clone());
            state
                .calls
                .push(format!("write status {:?}", reason.unwrap_or_default()));
            pods::keeping_pods(new, &old)
        }
    };
    state.profile["status"] = serde_json::to_value(merged).expect("JSON");
}

fn not_found() -> (StatusCode, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404,
        "reason": "NotFound", "message": "not found",
    });
    (StatusCode::NOT_FOUND, status)
}

/// Azure.
#[derive(Clone)]
struct Fake(Arc<Mutex<State>>);

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

#[async_trait]
impl Identities for Fake {
    async fn get(&self, id: &IdentityId) -> Result<Option<UserAssignedIdentity>> {
        let mut state = lock(&self.0);
        state.calls.push(format!("read identity {}", id.name));
        Ok(state.identities.get(&id.name).cloned())
    }

    async fn put(
        &self,
        id: &IdentityId,
        spec: &UserAssignedIdentitySpec,
    ) -> Result<UserAssignedIdentity> {
        let hold = lock(&self.0).hold.clone();
        if let Some(hold) = hold {
            hold.reached.notify_one();
            hold.released.notified().await;
        }
        let mut state = lock(&self.0);
        state.calls.push(format!("put identity {}", id.name));
        if let Some(refusal) = &state.refuse_identities {
            return Err(refusal());
        }
        let made = UserAssignedIdentity {
            id: id.clone(),
            location: spec.location.clone(),
            tags: spec.tags.clone(),
            client_id: "client".into(),
            principal_id: "principal".into(),
            tenant_id: "t".into(),
        };
        state.identities.insert(id.name.clone(), made.clone());
        Ok(made)
    }

    async fn delete(&self, id: &IdentityId) -> Result<Deleted> {
        let mut state = lock(&self.0);
        state.calls.push(format!("delete identity {}", id.name));
        Ok(state
            .identities
            .remove(&id.name)
            .map_or(Deleted::Absent, |_| Deleted::Removed))
    }

    async fn list_by_group(&self, group: &ResourceGroupId) -> Result<Vec<UserAssignedIdentity>> {
        let mut state = lock(&self.0);
        state.calls.push(format!("read identities of {group}"));
        state.list(Operation::ListIdentities, &group.to_string())?;
        Ok(state.identities.values().cloned().collect())
    }
}

#[async_trait]
impl RoleAssignments for Fake {
    async fn list(&self, scope: &str) -> Result<Vec<RoleAssignment>> {
        let mut state = lock(&self.0);
        state.calls.push(format!("read all roles on {scope}"));
        state.list(Operation::ListRoleAssignments, scope)?;
        Ok(state.role_assignments.clone())
    }

    async fn list_for_principal(&self, scope: &str, _: &str) -> Result<Vec<RoleAssignment>> {
        let mut state = lock(&self.0);
        state.calls.push(format!("read roles on {scope}"));
        Ok(state.role_assignments.clone())
    }

    async fn put(
        &self,
        scope: &str,
        name: Uuid,
        spec: &RoleAssignmentSpec,
    ) -> Result<RoleAssignment> {
        let mut state = lock(&self.0);
        state.calls.push(format!("put role on {scope}"));
        if let Some(refusal) = &state.refuse_roles {
            return Err(refusal());
        }
        let role = Role::parse(&spec.role_definition_id).id().expect("a GUID");
        let assignment = |name: &str, description| RoleAssignment {
            id: format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"),
            name: name.to_owned(),
            scope: scope.to_owned(),
            role_definition_id: spec.role_definition_id.clone(),
            principal_id: spec.principal_id.clone(),
            description,
        };
        let equal = |(theirs, at): &(Uuid, String)| *theirs == role && at == scope;
        if let Some(at) = state.unseen.iter().position(equal) {
            state.unseen.remove(at);
            state.role_assignments.push(assignment("by-hand", None));
            let reply = Reply::new(
                409,
                "RoleAssignmentExists",
                "The role assignment already exists.",
            );
            return Err(AzureError::refused(
                Operation::PutRoleAssignment,
                scope,
                reply,
            ));
        }
        let made = assignment(&name.to_string(), spec.description.clone());
        state.role_assignments.push(made.clone());
        if std::mem::take(&mut state.lose_role_answer) {
            let (operation, resource) = (Operation::PutRoleAssignment, scope.to_owned());
            let (host, source) = ("arm".to_owned(), "connection reset".into());
            return Err(AzureError::NoAnswer {
                operation,
                resource,
                host,
                source,
            });
        }
        Ok(made)
    }

    async fn delete(&self, id: &str) -> Result<Deleted> {
        let mut state = lock(&self.0);
        state.calls.push(format!("delete role {id}"));
        if let Some(refusal) = &state.refuse_roles {
            return Err(refusal());
        }
        let before = state.role_assignments.len();
        state
            .role_assignments
            .retain(|assignment| assignment.id != id);
        let gone = state.role_assignments.len() < before;
        Ok(if gone {
            Deleted::Removed
        } else {
            Deleted::Absent
        })
    }

    async fn role_definition_by_name(&self, _: &str, _: &str) -> Result<Option<RoleDefinition>> {
        Ok(None)
    }
}

/// The profile controller asks none of this.
#[async_trait]
impl Subscriptions for Fake {
    async fn get(&self, _: &str) -> Result<Option<Subscription>> {
        lock(&self.0).calls.push("read subscription".to_owned());
        Ok(None)
    }

    async fn locations(&self, _: &str) -> Result<Vec<Location>> {
        lock(&self.0).calls.push("read locations".to_owned());
        Ok(Vec::new())
    }

    async fn group(&self, _: &ResourceGroupId) -> Result<Option<ResourceGroup>> {
        lock(&self.0).calls.push("read group".to_owned());
        Ok(None)
    }
}

#[async_trait]
impl Compute for Fake {
    async fn get_identity(&self, _: &ComputeTarget) -> Result<Option<ComputeIdentity>> {
        Ok(None)
    }

    async fn patch_identity(
        &self,
        target: &ComputeTarget,
        _: &IdentityPatch,
        _: Option<&str>,
    ) -> Result<ComputeIdentity> {
        let reply = Reply::new(404, "ResourceNotFound", "no VMs here");
        Err(AzureError::refused(
            Operation::PatchComputeIdentity,
            target.to_string(),
            reply,
        ))
    }
}
