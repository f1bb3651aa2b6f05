//! A pretend cloud for one machine, and a ledger in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use podid_azure::{
    AzureError, Compute, ComputeIdentity, ComputeTarget, Deleted, Identities, IdentityId,
    IdentityPatch, Operation, Reply, ResourceGroupId, Result, UserAssignedIdentity,
    UserAssignedIdentitySpec,
};
use podid_core::arm::ArmId;
use podid_core::binding::BindingScope;
use podid_core::target::AssignmentRecord;
use podid_core::target::Target;
use prometheus_client::registry::Registry;

use super::ledger::{LedgerError, Ledgers};
use super::{Assignments, Context, Metrics, Owners, Settings};

pub(super) fn id(name: &str) -> ArmId {
    ArmId::new(identity(name).to_string())
}

pub(super) fn ids(names: &[&str]) -> BTreeSet<ArmId> {
    names.iter().map(|name| id(name)).collect()
}

pub(super) fn target() -> Target {
    Target::parse(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/pool",
    )
    .expect("a scale set")
}

pub(super) fn metrics() -> Metrics {
    Metrics::register(&mut Registry::default())
}

/// What assignment works with: one machine, no identities that can be read, and no API server.
pub(super) fn context(compute: &Arc<FakeCompute>) -> Context {
    podid_runtime::process::init();
    let (assignments, _) = Assignments::new();
    assignments.set_known();
    let nowhere = kube::Config::new("http://127.0.0.1:1".parse().expect("an address"));
    let client = kube::Client::try_from(nowhere).expect("a client");
    Context {
        owners: Owners::nobody(&client),
        client,
        compute: Arc::clone(compute) as Arc<dyn Compute>,
        identities: Arc::new(FakeIdentities::default()),
        settings: Settings {
            namespace: "podid-system".into(),
            reach: BindingScope::Cluster,
            interval: Settings::INTERVAL,
            window: Settings::WINDOW,
            immutable: BTreeSet::new(),
        },
        metrics: metrics(),
        assignments,
    }
}

fn identity(name: &str) -> IdentityId {
    IdentityId::new("s", "apps.1", name)
}

/// One machine in Azure.
#[derive(Debug)]
pub(super) struct FakeCompute(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    machine: Option<ComputeIdentity>,
    patches: Vec<usize>,
    spoilt: BTreeSet<IdentityId>,
    names_spoilt: bool,
    spoilt_answer: Option<(u16, String)>,
    refusal: Option<Reply>,
    change: Option<(u16, BTreeSet<IdentityId>)>,
    slowness: Duration,
    reads: usize,
    /// The client ids that identities have now; one on the machine keeps that of when it came.
    client_ids: BTreeMap<IdentityId, String>,
}

impl FakeCompute {
    pub(super) fn new(on_machine: &[&str]) -> Self {
        let user_assigned = on_machine.iter().map(|name| identity(name)).collect();
        let machine = ComputeIdentity {
            user_assigned,
            ..ComputeIdentity::default()
        };
        Self(Mutex::new(State {
            machine: Some(machine),
            ..State::default()
        }))
    }

    /// The identity has this client id from now on; on the machine it is the one of before.
    pub(super) fn make_anew(&self, name: &str, client_id: &str) {
        let mut state = self.0.lock().unwrap();
        state
            .client_ids
            .insert(identity(name), client_id.to_owned());
    }

    pub(super) fn client_id(&self, name: &str) -> Option<String> {
        let state = self.0.lock().unwrap();
        let machine = state.machine.as_ref().expect("a machine");
        machine.client_ids.get(&identity(name)).cloned()
    }

    pub(super) fn on_machine(&self) -> BTreeSet<ArmId> {
        let state = self.0.lock().unwrap();
        let machine = state.machine.as_ref().expect("a machine");
        machine
            .user_assigned
            .iter()
            .map(|id| ArmId::new(id.to_string()))
            .collect()
    }

    /// How many patches were asked for.
    pub(super) fn patches(&self) -> usize {
        self.0.lock().unwrap().patches.len()
    }

    /// How often the machine was read.
    pub(super) fn reads(&self) -> usize {
        self.0.lock().unwrap().reads
    }

    pub(super) fn largest_patch(&self) -> usize {
        self.0
            .lock()
            .unwrap()
            .patches
            .iter()
            .copied()
            .max()
            .unwrap_or_default()
    }

    /// A patch that adds one of these is refused as a whole, with or without its name.
    pub(super) fn spoil(&self, names: &[&str], named: bool) {
        let mut state = self.0.lock().unwrap();
        state.spoilt = names.iter().map(|name| identity(name)).collect();
        state.names_spoilt = named;
    }

    /// What a spoilt patch is answered, where it is not the usual.
    pub(super) fn answer_spoilt(&self, status: u16, code: &str) {
        self.0.lock().unwrap().spoilt_answer = Some((status, code.to_owned()));
    }

    /// All patches are refused.
    pub(super) fn refuse(&self, status: u16, code: &str, retry_after: Option<Duration>) {
        let reply = Reply {
            retry_after,
            ..Reply::new(status, code, "no")
        };
        self.0.lock().unwrap().refusal = Some(reply);
    }

    pub(super) fn relent(&self) {
        self.0.lock().unwrap().refusal = None;
    }

    /// Before the next patch arrives, somebody else makes the machine carry these.
    pub(super) fn meet_change(&self, status: u16, names: &[&str]) {
        let names = names.iter().map(|name| identity(name)).collect();
        self.0.lock().unwrap().change = Some((status, names));
    }

    /// Identities come on the machine by themselves, and its last change has ended.
    pub(super) fn arrive(&self, names: &[&str]) {
        let mut state = self.0.lock().unwrap();
        let machine = state.machine.as_mut().expect("a machine");
        machine
            .user_assigned
            .extend(names.iter().map(|name| identity(name)));
        machine.provisioning_state = Some("Succeeded".into());
    }

    /// Somebody takes an identity away by hand.
    pub(super) fn take_away(&self, name: &str) {
        let mut state = self.0.lock().unwrap();
        state
            .machine
            .as_mut()
            .expect("a machine")
            .user_assigned
            .remove(&identity(name));
    }

    pub(super) fn set_system_assigned(&self) {
        let mut state = self.0.lock().unwrap();
        state
            .machine
            .as_mut()
            .expect("a machine")
            .kind
            .system_assigned = true;
    }

    /// Sets the provisioning state; `None` takes the machine away.
    pub(super) fn set_state(&self, provisioning: Option<&str>) {
        let mut state = self.0.lock().unwrap();
        match provisioning {
            None => state.machine = None,
            Some(word) => {
                let machine = state.machine.as_mut().expect("a machine");
                machine.provisioning_state = Some(word.to_owned());
            }
        }
    }

    /// Azure does not find the machine, until it is shown again.
    pub(super) fn hide(&self) -> ComputeIdentity {
        self.0.lock().unwrap().machine.take().expect("a machine")
    }

    pub(super) fn show(&self, machine: ComputeIdentity) {
        self.0.lock().unwrap().machine = Some(machine);
    }

    /// Every patch takes this long.
    pub(super) fn slow_down(&self, slowness: Duration) {
        self.0.lock().unwrap().slowness = slowness;
    }
}

impl State {
    fn patch(&mut self, target: &ComputeTarget, patch: &IdentityPatch) -> Result<ComputeIdentity> {
        self.patches.push(patch.add().len() + patch.remove().len());
        let refused =
            |reply| AzureError::refused(Operation::PatchComputeIdentity, target.to_string(), reply);
        let machine = self.machine.as_mut().expect("a machine");
        if let Some(reply) = &self.refusal {
            return Err(refused(reply.clone()));
        }
        if let Some((status, now)) = self.change.take() {
            machine.user_assigned = now;
            return Err(refused(Reply::new(status, "Conflict", "somebody else")));
        }
        if let Some(bad) = patch.add().iter().find(|id| self.spoilt.contains(id)) {
            let text = match self.names_spoilt {
                true => format!("Resource '{bad}' was not found."),
                false => "something is wrong".to_owned(),
            };
            let (status, code) = match &self.spoilt_answer {
                Some((status, code)) => (*status, code.as_str()),
                None => (400, "FailedIdentityOperation"),
            };
            return Err(refused(Reply::new(status, code, text)));
        }
        for id in patch.add() {
            if machine.user_assigned.insert(id.clone())
                && let Some(client_id) = self.client_ids.get(id)
            {
                machine.client_ids.insert(id.clone(), client_id.clone());
            }
        }
        for id in patch.remove() {
            machine.user_assigned.remove(id);
            machine.client_ids.remove(id);
        }
        Ok(machine.clone())
    }
}

#[async_trait]
impl Compute for FakeCompute {
    async fn get_identity(&self, _: &ComputeTarget) -> Result<Option<ComputeIdentity>> {
        let mut state = self.0.lock().unwrap();
        state.reads += 1;
        Ok(state.machine.clone())
    }

    async fn patch_identity(
        &self,
        target: &ComputeTarget,
        patch: &IdentityPatch,
        _: Option<&str>,
    ) -> Result<ComputeIdentity> {
        let slowness = self.0.lock().unwrap().slowness;
        tokio::time::sleep(slowness).await;
        self.0.lock().unwrap().patch(target, patch)
    }
}

type Refusal = Box<dyn Fn() -> AzureError + Send + Sync>;

/// Identities that can be read.
#[derive(Default)]
pub(super) struct FakeIdentities {
    there: Mutex<BTreeMap<ArmId, UserAssignedIdentity>>,
    refusal: Mutex<Option<Refusal>>,
    reads: Mutex<usize>,
}

impl FakeIdentities {
    pub(super) fn put(&self, name: &str, client_id: &str, tags: BTreeMap<String, String>) {
        let made = UserAssignedIdentity {
            id: identity(name),
            location: "l".into(),
            tags,
            client_id: client_id.into(),
            principal_id: "p".into(),
            tenant_id: "t".into(),
        };
        self.there.lock().unwrap().insert(id(name), made);
    }

    pub(super) fn refuse(&self, refusal: impl Fn() -> AzureError + Send + Sync + 'static) {
        *self.refusal.lock().unwrap() = Some(Box::new(refusal));
    }

    pub(super) fn relent(&self) {
        *self.refusal.lock().unwrap() = None;
    }

    pub(super) fn reads(&self) -> usize {
        *self.reads.lock().unwrap()
    }
}

impl std::fmt::Debug for FakeIdentities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeIdentities")
    }
}

/// Nothing of ours writes identities here.
fn read_only<T>(operation: Operation) -> Result<T> {
    let reply = Reply::new(405, "ReadOnly", "identities are only read here");
    Err(AzureError::refused(operation, "", reply))
}

#[async_trait]
impl Identities for FakeIdentities {
    async fn get(&self, id: &IdentityId) -> Result<Option<UserAssignedIdentity>> {
        *self.reads.lock().unwrap() += 1;
        if let Some(refusal) = &*self.refusal.lock().unwrap() {
            return Err(refusal());
        }
        let there = self.there.lock().unwrap();
        Ok(there.get(&ArmId::new(id.to_string())).cloned())
    }

    async fn put(
        &self,
        _: &IdentityId,
        _: &UserAssignedIdentitySpec,
    ) -> Result<UserAssignedIdentity> {
        read_only(Operation::PutIdentity)
    }

    async fn delete(&self, _: &IdentityId) -> Result<Deleted> {
        read_only(Operation::DeleteIdentity)
    }

    async fn list_by_group(&self, _: &ResourceGroupId) -> Result<Vec<UserAssignedIdentity>> {
        read_only(Operation::ListIdentities)
    }
}

/// Ledgers in memory, with everything that was written.
#[derive(Debug, Default)]
pub(super) struct FakeLedgers {
    saved: Mutex<Vec<BTreeSet<ArmId>>>,
    broken: Mutex<bool>,
}

impl FakeLedgers {
    pub(super) fn saved(&self) -> Vec<BTreeSet<ArmId>> {
        self.saved.lock().unwrap().clone()
    }

    pub(super) fn break_down(&self) {
        *self.broken.lock().unwrap() = true;
    }
}

#[async_trait]
impl Ledgers for FakeLedgers {
    async fn load(&self) -> Result<BTreeMap<Target, AssignmentRecord>, LedgerError> {
        Ok(BTreeMap::new())
    }

    async fn save(&self, machine: &Target, ledger: &AssignmentRecord) -> Result<(), LedgerError> {
        if *self.broken.lock().unwrap() {
            return Err(LedgerError::fake(machine));
        }
        self.saved.lock().unwrap().push(ledger.0.clone());
        Ok(())
    }
}
