//! Interception by nftables rules that divert calls to two listeners of this daemon, one for verified
//! callers and one for all others (`podid_netfilter`).

mod caller_check;
mod endpoint;
mod listener;
mod reconciler;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use async_trait::async_trait;
use podid_core::attest::PodEndpoint;
use podid_netfilter::{
    BridgeMonitor, Listeners, Monitor, Nft, PacketRecord, Rules, RulesError, TABLE,
};
use podid_runtime::Readiness;
use tokio::sync::watch;

use self::caller_check::RecordedCallers;
use self::listener::{Listener, ListenerKind};
use self::reconciler::{Channels, KernelMonitors, Reconciler};
use super::{
    ActiveDaemon, Handover, InstalledEndpoints, InterceptedConnection, Interception,
    InterceptionEngine,
};
use crate::metrics::NodeMetrics;
use crate::shared_listener::{EarlierDaemon, ListenError};

/// What the engine needs to start.
#[derive(Debug)]
pub(crate) struct StartOptions {
    /// Where verified callers are diverted to.
    pub(crate) attested: SocketAddrV4,
    /// Where all others are diverted to.
    pub(crate) unattested: SocketAddrV4,
    pub(crate) readiness: Readiness,
    pub(crate) metrics: NodeMetrics,
}

/// Why interception cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Rules(#[from] RulesError),
}

/// Listens, and installs the rules or takes over those that an earlier daemon has left. From here on no pod
/// reaches the node's own metadata service. While an earlier daemon still runs, the rules and the calls stay
/// its own until the [`Handover`](super::Handover) is done.
///
/// # Errors
/// When an address cannot be listened on, or the kernel refuses the rules.
pub(crate) async fn start(options: StartOptions) -> Result<Interception, StartError> {
    let (attested, mut earlier) = Listener::open(options.attested, ListenerKind::Attested).await?;
    let (unattested, more) = Listener::open(options.unattested, ListenerKind::Unattested).await?;
    earlier.extend(more);
    let listeners = Listeners {
        attested: attested.local_addr(),
        unattested: unattested.local_addr(),
    };
    // Before the rules are read, so that no change of them goes unnoticed.
    let monitors = KernelMonitors {
        rules: Monitor::here()?,
        bridges: BridgeMonitor::here()?,
    };
    let rules = Nft::here()?;
    let kept = rules.installed().await?;
    let (readiness, metrics) = (options.readiness, options.metrics);
    let (mut reconciler, channels) =
        Reconciler::new(rules, listeners, kept.sources, readiness, metrics);
    // A daemon without rules has not come to install them, and may never.
    let is_followed = !earlier.is_empty() && kept.generation > 0;
    if !is_followed {
        reconciler.take_over().await?;
    }
    let handover = is_followed.then(|| Handover::new(Box::pin(all_ended(earlier))));
    let (handover, requests) = handover.unzip();
    let engine = NftablesEngine::new(attested, unattested, &channels);
    Ok(Interception {
        engine: Box::new(engine),
        engine_name: "nftables",
        callers: Arc::new(RecordedCallers(PacketRecord::here()?)),
        allowed: channels.allowed,
        installed: channels.installed,
        active: channels.active,
        handover,
        upkeep: Box::pin(reconciler.run(requests, monitors)),
    })
}

async fn all_ended(daemons: Vec<EarlierDaemon>) {
    for daemon in daemons {
        daemon.ended().await;
    }
}

/// Keeps pods from the platform until a daemon takes over; does nothing where podid has rules.
///
/// # Errors
/// When the kernel refuses; then nothing was added.
pub(crate) async fn close() -> Result<(), RulesError> {
    match Nft::here()?.close().await? {
        true => tracing::info!(
            table = TABLE,
            "pods are kept from the metadata service until a daemon starts"
        ),
        false => tracing::info!(table = TABLE, "podid has rules on this node already"),
    }
    Ok(())
}

/// Removes all that [`start`] has installed in the network namespace of this process. Afterwards pods
/// reach the node's own metadata service.
///
/// # Errors
/// When the kernel refuses; then nothing was removed.
pub(crate) async fn remove() -> Result<(), RulesError> {
    if Nft::here()?.remove().await? {
        tracing::info!(
            table = TABLE,
            "rules removed; pods of this node now reach the node's own metadata service"
        );
    } else {
        tracing::info!(
            table = TABLE,
            "no rules of podid on this node; nothing to remove"
        );
    }
    Ok(())
}

#[derive(Debug)]
struct NftablesEngine {
    attested: Listener,
    unattested: Listener,
    active: watch::Receiver<ActiveDaemon>,
    allowed: watch::Receiver<BTreeSet<PodEndpoint>>,
    installed: InstalledEndpoints,
}

impl NftablesEngine {
    fn new(attested: Listener, unattested: Listener, channels: &Channels) -> Self {
        Self {
            attested,
            unattested,
            active: channels.active.clone(),
            allowed: channels.allowed.subscribe(),
            installed: channels.installed.clone(),
        }
    }
}

#[async_trait]
impl InterceptionEngine for NftablesEngine {
    async fn accept(&mut self) -> InterceptedConnection {
        ActiveDaemon::This.reached(&mut self.active).await;
        let next = async {
            tokio::select! {
                connection = self.attested.accept() => connection,
                connection = self.unattested.accept() => connection,
            }
        };
        let mut connection = tokio::select! {
            // First, because a daemon that is no longer active would otherwise take one more.
            biased;
            () = ActiveDaemon::Later.reached(&mut self.active) => std::future::pending().await,
            connection = next => connection,
        };
        let caller = &mut connection.caller;
        if caller.is_verified {
            caller.endpoint = only_endpoint(
                caller.address,
                &self.allowed.borrow(),
                &self.installed.borrow(),
            );
        }
        connection
    }
}

/// The endpoint with this address by which the rules let a connection in. They contain what is installed, and
/// may contain some of what is allowed by now.
fn only_endpoint(
    address: Ipv4Addr,
    allowed: &BTreeSet<PodEndpoint>,
    installed: &BTreeSet<PodEndpoint>,
) -> Option<PodEndpoint> {
    let all = allowed.union(installed);
    let mut with_address = all.filter(|endpoint| endpoint.address == address);
    let first = with_address.next()?;
    with_address.next().is_none().then_some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_known_by_an_endpoint_only_where_there_is_one() {
        let a = Ipv4Addr::new(10, 244, 0, 2);
        let at = |interface| PodEndpoint {
            interface,
            address: a,
            bridge_port: None,
        };
        let other = PodEndpoint {
            address: Ipv4Addr::new(10, 244, 0, 3),
            ..at(9)
        };
        for (allowed, installed, expected) in [
            (vec![], vec![], None),
            (vec![other], vec![other], None),
            (vec![at(7), other], vec![], Some(at(7))),
            (vec![at(7)], vec![at(7)], Some(at(7))),
            (vec![], vec![at(7)], Some(at(7))),
            (vec![at(7)], vec![at(8)], None),
        ] {
            let (allowed, installed) = (
                allowed.into_iter().collect(),
                installed.into_iter().collect(),
            );
            assert_eq!(only_endpoint(a, &allowed, &installed), expected);
        }
    }
}
