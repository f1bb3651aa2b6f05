//! How the calls of a node's pods pass from one daemon to the next.

use std::collections::BTreeSet;
use std::fmt;

use futures::future::BoxFuture;
use podid_core::attest::PodEndpoint;
use tokio::sync::{oneshot, watch};

/// Which daemon of the node takes the calls of pods and keeps the rules, seen from this one. It goes forward only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ActiveDaemon {
    /// One that was started before; this one gets ready meanwhile.
    Earlier,
    This,
    /// One that was started after this one. This one ends what is under way.
    Later,
}

impl ActiveDaemon {
    /// Returns when the active daemon is this one or one after it.
    pub(crate) async fn reached(self, active: &mut watch::Receiver<Self>) {
        if active.wait_for(|now| *now >= self).await.is_err() {
            // The engine's upkeep has ended, and with it every change.
            std::future::pending::<()>().await;
        }
    }
}

/// The engine's end of a [`Handover`]: asks once to take over, and is answered with the endpoints that the
/// earlier daemon has left.
pub(crate) type TakeOverRequests = oneshot::Receiver<oneshot::Sender<BTreeSet<PodEndpoint>>>;

/// The handover from an earlier daemon, which takes the calls of pods until this one asks to take over.
pub(crate) struct Handover {
    earlier_ended: BoxFuture<'static, ()>,
    take_over: oneshot::Sender<oneshot::Sender<BTreeSet<PodEndpoint>>>,
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handover")
    }
}

impl Handover {
    /// From a daemon that has ended when `earlier_ended` returns.
    pub(crate) fn new(earlier_ended: BoxFuture<'static, ()>) -> (Self, TakeOverRequests) {
        let (take_over, requests) = oneshot::channel();
        let handover = Self {
            earlier_ended,
            take_over,
        };
        (handover, requests)
    }

    /// Returns when the earlier daemon has ended. Dropping the future loses nothing.
    pub(crate) async fn earlier_ended(&mut self) {
        (&mut self.earlier_ended).await;
    }

    /// Makes this daemon the active one. Returns the endpoints that the earlier one has left in place.
    pub(crate) async fn take_over(self) -> BTreeSet<PodEndpoint> {
        let (answer, inherited) = oneshot::channel();
        let _engine_ended = self.take_over.send(answer);
        // Without an engine no endpoint is in place.
        inherited.await.unwrap_or_default()
    }
}
