//! The attested pods at one moment, for requests to read without waiting.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use podid_core::attest::PodEndpoint;
use tokio::sync::watch;

use crate::attest::ProvedLink;
use crate::pod_context::PodContext;

/// The newest snapshot. A reader holds the lock only while it clones the `Arc`.
pub(crate) type Snapshots = watch::Receiver<Arc<Snapshot>>;

/// The attested pods of the node, by address.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) by_address: HashMap<Ipv4Addr, Served>,
}

/// Who is served at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) pod: Arc<PodContext>,
    /// The pod's endpoint with this address.
    pub(crate) endpoint: PodEndpoint,
    /// The link by which the pod was attested to have the address.
    pub(crate) link: ProvedLink,
}

impl Snapshot {
    /// The pod that was attested to have this address.
    pub(crate) fn at(&self, address: Ipv4Addr) -> Option<&Arc<PodContext>> {
        self.by_address.get(&address).map(|served| &served.pod)
    }

    /// The uids of those who are served, once for each address.
    pub(crate) fn uids(&self) -> impl Iterator<Item = &str> {
        let served = self.by_address.values();
        served.map(|served| served.pod.caller.pod.uid.as_str())
    }

    /// The link by which this pod was attested to have this address.
    pub(crate) fn link_of(&self, uid: &str, address: Ipv4Addr) -> Option<&ProvedLink> {
        let served = self.by_address.get(&address)?;
        (served.pod.caller.pod.uid == uid).then_some(&served.link)
    }
}
