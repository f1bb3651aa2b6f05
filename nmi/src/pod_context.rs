//! One pod with everything that the decision about its requests needs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use podid_core::assigned_identity::AssignedIdentity;
use podid_core::binding::{AzureIdentity, Binding, ServingRules};
use podid_core::resolve::{CallingPod, Exception, ResolveInput, Selector, TokenDecision, resolve};
use podid_core::service_principal::PrincipalLimit;
use podid_index::ObjectKey;
use tokio::time::Instant;

/// A pod with its bindings, identities and exceptions, collected before a request comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodContext {
    pub(crate) caller: CallingPod,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) identities: Vec<AzureIdentity>,
    pub(crate) exceptions: Vec<Exception>,
    pub(crate) assigned_identities: Vec<AssignedIdentity>,
    /// Since when assignments are known to be done, by AzureIdentity.
    pub(crate) assigned: BTreeMap<ObjectKey, Instant>,
    pub(crate) rules: ServingRules,
    /// The same set for all pods: the client ids of the whole cluster's profiles.
    pub(crate) of_profiles: ProfileClientIds,
    /// The same for all pods.
    pub(crate) principal_limits: PrincipalLimits,
}

impl PodContext {
    /// What this pod gets when it asks for `selector`.
    pub(crate) fn resolve(&self, selector: &Selector) -> TokenDecision {
        let limits = self.principal_limits.now();
        let facts = ResolveInput {
            caller: &self.caller,
            bindings: &self.bindings,
            identities: &self.identities,
            exceptions: &self.exceptions,
            assigned_identities: &self.assigned_identities,
            rules: self.rules,
            principal_limits: &limits,
        };
        resolve(&facts, selector)
    }

    /// Since when this daemon knows that the identity is assigned for this pod.
    pub(crate) fn assigned_since(&self, identity: &AzureIdentity) -> Option<Instant> {
        let key = ObjectKey::new(&identity.namespace, &identity.name);
        self.assigned.get(&key).copied()
    }
}

/// What the classes of the cluster allow to service principals. Clones share it, so that the contexts of pods need not
/// be derived anew when it changes: it counts from the next request on.
#[derive(Clone, Debug, Default)]
pub(crate) struct PrincipalLimits(Arc<RwLock<Arc<Vec<PrincipalLimit>>>>);

impl PrincipalLimits {
    fn now(&self) -> Arc<Vec<PrincipalLimit>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// These count from now on.
    pub(crate) fn set(&self, limits: Vec<PrincipalLimit>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }
}

/// Whether both are clones of one.
impl PartialEq for PrincipalLimits {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PrincipalLimits {}

/// Client ids of all identities that profiles of the cluster have made or adopted, former ones included for
/// as long as a VM or scale set may have them; compared without letter case. Clones share one set, so that
/// the contexts of pods need not be derived anew when it changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProfileClientIds {
    /// How many AzureIdentities name each id, in lower case.
    counts: Arc<RwLock<HashMap<String, usize>>>,
}

impl ProfileClientIds {
    pub(crate) fn contains(&self, client_id: &str) -> bool {
        let counts = self.counts.read().unwrap_or_else(PoisonError::into_inner);
        counts.contains_key(&client_id.to_ascii_lowercase())
    }

    /// Counts an AzureIdentity with this id.
    pub(crate) fn add(&self, client_id: &str) {
        let mut counts = self.counts.write().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(client_id.to_ascii_lowercase()).or_default() += 1;
    }

    /// Removes one AzureIdentity with this id from the count.
    pub(crate) fn remove(&self, client_id: &str) {
        let mut counts = self.counts.write().unwrap_or_else(PoisonError::into_inner);
        let client_id = client_id.to_ascii_lowercase();
        if let Some(count) = counts.get_mut(&client_id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&client_id);
            }
        }
    }
}

/// Whether both are clones of one set.
impl PartialEq for ProfileClientIds {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.counts, &other.counts)
    }
}

impl Eq for ProfileClientIds {}
