//! Interception by nftables rules that divert calls to two listeners of this daemon, one for verified
//! callers and one for all others (`podid_netfilter`).

mod caller_check;
mod endpoint;
mod listener;
mod reconciler;

use std::net::SocketAddrV4;
use std::sync::Arc;

use async_trait::async_trait;
use podid_netfilter::{
    BridgeMonitor, Listeners, Monitor, Nft, PacketRecord, Rules, RulesError, TABLE,
};
use podid_runtime::Readiness;

use self::caller_check::RecordedCallers;
use self::listener::{ListenError, Listener, ListenerKind};
use self::reconciler::{KernelMonitors, Reconciler};
use super::{InterceptedConnection, Interception, InterceptionEngine};
use crate::metrics::NodeMetrics;

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

/// Listens, and installs the rules or takes over those of an earlier daemon. From here on no pod
/// reaches the node's own metadata service.
///
/// # Errors
/// When an address cannot be listened on, or the kernel refuses the rules.
pub(crate) async fn start(options: StartOptions) -> Result<Interception, StartError> {
    let attested = Listener::bind(options.attested, ListenerKind::Attested).await?;
    let unattested = Listener::bind(options.unattested, ListenerKind::Unattested).await?;
    let listeners = Listeners {
        attested: attested.local_addr(),
        unattested: unattested.local_addr(),
    };
    // Before the rules are read, so that no change of them goes unnoticed.
    let monitors = KernelMonitors {
        rules: Monitor::here()?,
        bridges: BridgeMonitor::here()?,
    };
    let (reconciler, allowed, installed) =
        Reconciler::take_over(Nft::here()?, listeners, options.readiness, options.metrics).await?;
    Ok(Interception {
        engine: Box::new(NftablesEngine {
            attested,
            unattested,
        }),
        callers: Arc::new(RecordedCallers(PacketRecord::here()?)),
        allowed,
        installed,
        upkeep: Box::pin(reconciler.run(monitors)),
    })
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
}

#[async_trait]
impl InterceptionEngine for NftablesEngine {
    async fn accept(&mut self) -> InterceptedConnection {
        tokio::select! {
            connection = self.attested.accept() => connection,
            connection = self.unattested.accept() => connection,
        }
    }
}
