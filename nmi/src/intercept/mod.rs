//! How pods' calls for the metadata service come to this daemon.
//!
//! An engine diverts the calls and yields them as connections, each with the address of its caller and
//! with whether the engine has verified that only the pod with that address can have sent its packets.
//! It verifies that for the endpoints that the daemon allows. Each engine is a module of its own here;
//! nftables is the only one. `app` chooses and starts it, and the rest of the daemon knows nothing of how
//! it works.

mod handover;
pub(crate) mod nftables;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use podid_core::attest::PodEndpoint;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use handover::{ActiveDaemon, Handover, TakeOverRequests};

/// The endpoints that the engine should accept as verified callers.
pub(crate) type AllowedEndpoints = watch::Sender<BTreeSet<PodEndpoint>>;

/// The endpoints that the engine verifies by now: of the allowed ones those that are in place.
pub(crate) type InstalledEndpoints = watch::Receiver<BTreeSet<PodEndpoint>>;

/// Who has opened an intercepted connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Source address of the connection.
    pub(crate) address: Ipv4Addr,
    /// Source port of the connection.
    pub(crate) port: u16,
    /// When the connection was accepted.
    pub(crate) since: Instant,
    /// Whether every packet of the connection comes from an allowed endpoint with that address. If
    /// not, the address may be anybody's.
    pub(crate) is_verified: bool,
    /// Of a verified caller, the endpoint that its packets came from; `None` where it may have been more than
    /// one.
    pub(crate) endpoint: Option<PodEndpoint>,
}

/// A connection that a pod meant for the metadata service.
#[derive(Debug)]
pub(crate) struct InterceptedConnection {
    pub(crate) stream: TcpStream,
    pub(crate) caller: Caller,
}

/// Yields the calls of pods.
///
/// **Guarantees.** Only connections that were meant for the metadata service are yielded, and only while this
/// is the active daemon of the node. Dropping the engine takes no new connections, and lets no pod's call pass
/// to the node's own metadata service.
#[async_trait]
pub(crate) trait InterceptionEngine: fmt::Debug + Send {
    /// The next connection. Dropping the future loses none.
    async fn accept(&mut self) -> InterceptedConnection;
}

/// Says whose a connection is that was opened before its caller was allowed.
#[async_trait]
pub(crate) trait CallerCheck: fmt::Debug + Send + Sync {
    /// Whether every packet of the caller's connection has come from this endpoint until now; `false` also
    /// where that cannot be known.
    async fn is_only_from(&self, caller: &Caller, endpoint: &PodEndpoint) -> bool;
}

/// An engine that has started, with the channels by which it is controlled.
pub(crate) struct Interception {
    pub(crate) engine: Box<dyn InterceptionEngine>,
    /// For people.
    pub(crate) engine_name: &'static str,
    pub(crate) callers: Arc<dyn CallerCheck>,
    /// At first the endpoints that an earlier daemon has left in place, or still keeps there.
    pub(crate) allowed: AllowedEndpoints,
    pub(crate) installed: InstalledEndpoints,
    pub(crate) active: watch::Receiver<ActiveDaemon>,
    /// Of an earlier daemon that still takes the calls; `None` where this one does from the start.
    pub(crate) handover: Option<Handover>,
    /// Follows `allowed`, until that is dropped. Has to run as a task of its own.
    pub(crate) upkeep: BoxFuture<'static, Result<(), Infallible>>,
}
