//! What is known at one moment, for requests to read without waiting.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::attest::ProvedLink;
use crate::pod_context::PodContext;

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
    pub(crate) pod: Arc<PodContext>,
    /// The link by which the pod was proved to have the address.
    pub(crate) link: ProvedLink,
}

impl Snapshot {
    /// The pod that was proved to have this address.
    pub(crate) fn at(&self, address: Ipv4Addr) -> Option<&Arc<PodContext>> {
        self.by_address.get(&address).map(|served| &served.pod)
    }

    /// The link by which this pod was proved to have this address.
    pub(crate) fn link_of(&self, uid: &str, address: Ipv4Addr) -> Option<&ProvedLink> {
        let served = self.by_address.get(&address)?;
        (served.pod.caller.pod.uid == uid).then_some(&served.link)
    }
}
