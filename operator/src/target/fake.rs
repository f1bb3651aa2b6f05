//! A pretend cloud with one VM or scale set, and records in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use podid_azure::{
    AzureError, Compute, ComputeIdentity, ComputeTarget, IdentityId, IdentityPatch, Operation,
    Reply, Result,
};
use podid_core::arm::ArmId;
use podid_core::target::{AssignmentRecord, Target, TargetSettings};
use prometheus_client::registry::Registry;

use super::metrics::TargetMetrics;
use super::record_store::{RecordError, RecordStore};

pub(crate) fn id(name: &str) -> ArmId {
    ArmId::new(identity(name).to_string())
}

pub(crate) fn ids(names: &[&str]) -> BTreeSet<ArmId> {
    names.iter().map(|name| id(name)).collect()
}

pub(crate) fn target() -> Target {
    scale_set("pool")
}

pub(crate) fn scale_set(name: &str) -> Target {
    let sets =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets";
    Target::parse(&format!("{sets}/{name}")).expect("a scale set")
}

pub(crate) fn metrics() -> TargetMetrics {
    TargetMetrics::register(&mut Registry::default())
}

/// How targets are dealt with where a test does not say otherwise.
pub(crate) fn settings() -> TargetSettings {
    TargetSettings {
        interval: Duration::from_secs(180),
        window: Duration::from_millis(250),
        immutable: BTreeSet::new(),
    }
}

pub(crate) fn identity(name: &str) -> IdentityId {
    IdentityId::new("s", "apps.1", name)
}

/// One VM or scale set in Azure.
#[derive(Debug)]
pub(crate) struct FakeCompute(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    resource: Option<ComputeIdentity>,
    patches: Vec<usize>,
    spoilt: BTreeSet<IdentityId>,
    names_spoilt: bool,
    refusal: Option<Reply>,
    slowness: Duration,
    held_back: Option<Duration>,
    loses_answers: bool,
    reads: usize,
    /// The client ids that identities have now; one on it keeps that of when it came.
    client_ids: BTreeMap<IdentityId, String>,
}

impl FakeCompute {
    pub(crate) fn new(on_target: &[&str]) -> Self {
        let user_assigned = on_target.iter().map(|name| identity(name)).collect();
        let resource = ComputeIdentity {
            user_assigned,
            ..ComputeIdentity::default()
        };
        Self(Mutex::new(State {
            resource: Some(resource),
            ..State::default()
        }))
    }

    /// The identity has this client id from now on; on it it is the one of before.
    pub(crate) fn make_anew(&self, name: &str, client_id: &str) {
        let mut state = self.0.lock().unwrap();
        state
            .client_ids
            .insert(identity(name), client_id.to_owned());
    }

    pub(crate) fn client_id(&self, name: &str) -> Option<String> {
        let state = self.0.lock().unwrap();
        let resource = state.resource.as_ref().expect("a resource");
        resource.client_ids.get(&identity(name)).cloned()
    }

    pub(crate) fn on_target(&self) -> BTreeSet<ArmId> {
        let state = self.0.lock().unwrap();
        let resource = state.resource.as_ref().expect("a resource");
        resource
            .user_assigned
            .iter()
            .map(|id| ArmId::new(id.to_string()))
            .collect()
    }

    /// How many patches were asked for.
    pub(crate) fn patches(&self) -> usize {
        self.0.lock().unwrap().patches.len()
    }

    /// How often it was read.
    pub(crate) fn reads(&self) -> usize {
        self.0.lock().unwrap().reads
    }

    /// A patch that adds one of these is refused as a whole, with or without its name.
    pub(crate) fn spoil(&self, names: &[&str], named: bool) {
        let mut state = self.0.lock().unwrap();
        state.spoilt = names.iter().map(|name| identity(name)).collect();
        state.names_spoilt = named;
    }

    /// All patches are refused.
    pub(crate) fn refuse(&self, status: u16, code: &str, retry_after: Option<Duration>) {
        let reply = Reply {
            retry_after,
            ..Reply::new(status, code, "no")
        };
        self.0.lock().unwrap().refusal = Some(reply);
    }

    pub(crate) fn relent(&self) {
        self.0.lock().unwrap().refusal = None;
    }

    /// No patch leaves; each is told to come again after this time.
    pub(crate) fn hold_back(&self, wait: Option<Duration>) {
        self.0.lock().unwrap().held_back = wait;
    }

    /// Every patch is carried out, and the connection breaks before its answer.
    pub(crate) fn lose_answers(&self, loses: bool) {
        self.0.lock().unwrap().loses_answers = loses;
    }

    /// Identities come on it by themselves, and its last change has ended.
    pub(crate) fn arrive(&self, names: &[&str]) {
        let mut state = self.0.lock().unwrap();
        let resource = state.resource.as_mut().expect("a resource");
        resource
            .user_assigned
            .extend(names.iter().map(|name| identity(name)));
        resource.provisioning_state = Some("Succeeded".into());
    }

    /// Somebody takes an identity away by hand.
    pub(crate) fn take_away(&self, name: &str) {
        let mut state = self.0.lock().unwrap();
        state
            .resource
            .as_mut()
            .expect("a resource")
            .user_assigned
            .remove(&identity(name));
    }

    /// Every patch takes this long.
    pub(crate) fn slow_down(&self, slowness: Duration) {
        self.0.lock().unwrap().slowness = slowness;
    }
}

impl State {
    fn patch(&mut self, target: &ComputeTarget, patch: &IdentityPatch) -> Result<ComputeIdentity> {
        self.patches.push(patch.add().len() + patch.remove().len());
        let refused =
            |reply| AzureError::refused(Operation::PatchComputeIdentity, target.to_string(), reply);
        if let Some(wait) = self.held_back {
            return Err(AzureError::NotSent {
                operation: Operation::PatchComputeIdentity,
                resource: target.to_string(),
                source: "too many".into(),
                retry_after: Some(wait),
                next_step: "wait".to_owned(),
            });
        }
        let resource = self.resource.as_mut().expect("a resource");
        if let Some(reply) = &self.refusal {
            return Err(refused(reply.clone()));
        }
        if let Some(bad) = patch.add().iter().find(|id| self.spoilt.contains(id)) {
            let text = match self.names_spoilt {
                true => format!("Resource '{bad}' was not found."),
                false => "something is wrong".to_owned(),
            };
            return Err(refused(Reply::new(400, "FailedIdentityOperation", text)));
        }
        for id in patch.add() {
            if resource.user_assigned.insert(id.clone())
                && let Some(client_id) = self.client_ids.get(id)
            {
                resource.client_ids.insert(id.clone(), client_id.clone());
            }
        }
        for id in patch.remove() {
            resource.user_assigned.remove(id);
            resource.client_ids.remove(id);
        }
        Ok(resource.clone())
    }
}

#[async_trait]
impl Compute for FakeCompute {
    async fn get_identity(&self, _: &ComputeTarget) -> Result<Option<ComputeIdentity>> {
        let mut state = self.0.lock().unwrap();
        state.reads += 1;
        Ok(state.resource.clone())
    }

    async fn patch_identity(
        &self,
        target: &ComputeTarget,
        patch: &IdentityPatch,
        _: Option<&str>,
    ) -> Result<ComputeIdentity> {
        let slowness = self.0.lock().unwrap().slowness;
        tokio::time::sleep(slowness).await;
        let mut state = self.0.lock().unwrap();
        let patched = state.patch(target, patch);
        match state.loses_answers {
            false => patched,
            true => Err(AzureError::NoAnswer {
                operation: Operation::PatchComputeIdentity,
                resource: target.to_string(),
                host: "arm".to_owned(),
                source: "connection reset".into(),
            }),
        }
    }
}

/// Several scale sets in Azure, by name.
#[derive(Debug)]
pub(crate) struct FakeScaleSets(BTreeMap<String, FakeCompute>);

impl FakeScaleSets {
    /// Scale sets without identities.
    pub(crate) fn new(names: &[&str]) -> Self {
        let set = |name: &&str| ((*name).to_owned(), FakeCompute::new(&[]));
        Self(names.iter().map(set).collect())
    }

    pub(crate) fn set(&self, name: &str) -> &FakeCompute {
        self.0.get(name).expect("such a scale set")
    }

    fn of(&self, target: &ComputeTarget) -> &FakeCompute {
        let id = target.to_string();
        self.set(id.rsplit('/').next().unwrap_or_default())
    }
}

#[async_trait]
impl Compute for FakeScaleSets {
    async fn get_identity(&self, target: &ComputeTarget) -> Result<Option<ComputeIdentity>> {
        self.of(target).get_identity(target).await
    }

    async fn patch_identity(
        &self,
        target: &ComputeTarget,
        patch: &IdentityPatch,
        if_match: Option<&str>,
    ) -> Result<ComputeIdentity> {
        self.of(target)
            .patch_identity(target, patch, if_match)
            .await
    }
}

/// Records in memory, with everything that was written.
#[derive(Debug, Default)]
pub(crate) struct FakeRecords {
    saved: Mutex<Vec<BTreeSet<ArmId>>>,
    broken: Mutex<bool>,
}

impl FakeRecords {
    pub(crate) fn saved(&self) -> Vec<BTreeSet<ArmId>> {
        self.saved.lock().unwrap().clone()
    }

    pub(crate) fn break_down(&self) {
        *self.broken.lock().unwrap() = true;
    }
}

#[async_trait]
impl RecordStore for FakeRecords {
    async fn load(&self) -> Result<BTreeMap<Target, AssignmentRecord>, RecordError> {
        Ok(BTreeMap::new())
    }

    async fn save(&self, target: &Target, record: &AssignmentRecord) -> Result<(), RecordError> {
        if *self.broken.lock().unwrap() {
            return Err(RecordError::fake(target));
        }
        self.saved.lock().unwrap().push(record.0.clone());
        Ok(())
    }
}
