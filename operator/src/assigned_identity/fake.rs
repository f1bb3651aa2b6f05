//! What assignment works with in tests: identities that can be read, and no API server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use podid_azure::{
    AzureError, Compute, Deleted, Identities, IdentityId, Operation, Reply, ResourceGroupId,
    Result, UserAssignedIdentity, UserAssignedIdentitySpec,
};
use podid_core::arm::ArmId;
use podid_core::binding::ServingRules;
use podid_core::binding::{AzureIdentity, AzureIdentityType, Binding, Pod};
use podid_core::net_raw::NetRaw;
use podid_core::owner::Origin;
use podid_index::ObjectKey;
use prometheus_client::registry::Registry;

use super::index::PlacedPod;
use super::shared_index::SharedIndex;
use super::{
    AssignedIdentityContext, AssignedIdentityMetrics, AssignedIdentitySettings, AssignmentView,
    ProfileStores,
};
use crate::target::fake::identity;
pub(super) use crate::target::fake::{FakeCompute, FakeRecords, id, ids, target};

fn metrics() -> AssignedIdentityMetrics {
    AssignedIdentityMetrics::register(&mut Registry::default())
}

/// What assignment works with: one VM, no identities that can be read, and no API server.
pub(super) fn context(compute: &Arc<FakeCompute>) -> AssignedIdentityContext {
    podid_runtime::process::init();
    let (assignment_view, _) = AssignmentView::new();
    assignment_view.set_known();
    let nowhere = kube::Config::new("http://127.0.0.1:1".parse().expect("an address"));
    let client = kube::Client::try_from(nowhere).expect("a client");
    AssignedIdentityContext {
        stores: ProfileStores::nobody(&client),
        client,
        compute: Arc::clone(compute) as Arc<dyn Compute>,
        identities: Arc::new(FakeIdentities::default()),
        settings: AssignedIdentitySettings {
            namespace: "podid-system".into(),
            rules: ServingRules::default(),
            interval: AssignedIdentitySettings::INTERVAL,
            window: AssignedIdentitySettings::WINDOW,
            immutable: BTreeSet::new(),
        },
        metrics: metrics(),
        assignment_view,
    }
}

/// An index in which a pod on the target's node uses identity `a` by a binding that was written by hand.
pub(super) fn used_by_others() -> SharedIndex {
    let (index, _dirty) = SharedIndex::new(ServingRules::default());
    let web = || "web".to_owned();
    let apps = || "apps".to_owned();
    let key = ObjectKey::new("apps", "web");
    let identity = AzureIdentity {
        namespace: apps(),
        name: web(),
        kind: AzureIdentityType::Managed,
        client_id: "c".into(),
        resource_id: id("a"),
        principal_id: None,
        namespaced: false,
        origin: Origin::HandWritten,
        net_raw: NetRaw::Ignore,
        class: None,
    };
    let binding = Binding {
        namespace: apps(),
        name: web(),
        identity: web(),
        selector: web(),
        service_accounts: BTreeSet::new(),
        origin: Origin::HandWritten,
    };
    let pod = Pod {
        namespace: apps(),
        name: web(),
        uid: "u".into(),
        selector: Some(web()),
        service_account: "default".into(),
        breaches: BTreeSet::new(),
        unserved: None,
    };
    let node = "node".to_owned();
    index.set_node(&node, Some(Ok(target())));
    index.set_identity(&key, Some(identity));
    index.set_binding(&key, Some(binding));
    index.set_pod(&key, Some(PlacedPod { pod, node }));
    index
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
