//! What is known at one moment, for requests to read without waiting.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use podid_core::binding::{AzureIdentity, Binding, BindingScope};
use podid_core::resolve::{
    CallingPod, Exception, ResolveInput, Selector, TokenAssignment, TokenDecision, resolve,
};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::attest::ProvedLink;
use crate::key::Key;

/// Every moment's snapshot, newest last. Reading it takes a lock for as long as it takes to count
/// one reference up.
pub(crate) type Snapshots = watch::Receiver<Arc<Snapshot>>;

/// The proved pods of the node, by address.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) by_address: HashMap<Ipv4Addr, Served>,
}

/// Who is served at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) entry: Arc<Entry>,
    /// The link by which the pod was proved to have the address.
    pub(crate) link: ProvedLink,
}

/// A pod and all that concerns it, picked out before anybody asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) caller: CallingPod,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) identities: Vec<AzureIdentity>,
    pub(crate) exceptions: Vec<Exception>,
    pub(crate) assignments: Vec<TokenAssignment>,
    /// Since when assignments are known to be done, by AzureIdentity.
    pub(crate) assigned: BTreeMap<Key, Instant>,
    pub(crate) reach: BindingScope,
    /// Client ids, in lower case, of all identities that profiles of the cluster made or adopted.
    pub(crate) of_profiles: Arc<BTreeSet<String>>,
}

impl Entry {
    /// What this pod gets when it asks for `selector`.
    pub(crate) fn resolve(&self, selector: &Selector) -> TokenDecision {
        let facts = ResolveInput {
            caller: &self.caller,
            bindings: &self.bindings,
            identities: &self.identities,
            exceptions: &self.exceptions,
            assignments: &self.assignments,
            scope: self.reach,
        };
        resolve(&facts, selector)
    }

    /// Since when this daemon knows that the identity is assigned for this pod.
    pub(crate) fn assigned_since(&self, identity: &AzureIdentity) -> Option<Instant> {
        let key = Key::new(&identity.namespace, &identity.name);
        self.assigned.get(&key).copied()
    }
}

impl Snapshot {
    /// The pod that was proved to have this address.
    pub(crate) fn at(&self, address: Ipv4Addr) -> Option<&Arc<Entry>> {
        self.by_address.get(&address).map(|served| &served.entry)
    }

    /// The link by which this pod was proved to have this address.
    pub(crate) fn link_of(&self, uid: &str, address: Ipv4Addr) -> Option<&ProvedLink> {
        let served = self.by_address.get(&address)?;
        (served.entry.caller.pod.uid == uid).then_some(&served.link)
    }
}
