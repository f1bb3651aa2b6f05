//! Which replica leads. One does at any time; the others keep their caches warm and write nothing.
//!
//! | file | holds |
//! |---|---|
//! | `mod` | whether this replica leads, which the gate asks before each write |
//! | `election` | how it comes to lead, goes on leading, and lets go |
//! | `object` | the Lease on the API server |
//!
//! Who may take the Lease, and how long its holder may write, is decided by `podid_core::lease`.

mod election;
mod object;

use futures::Stream;
use podid_core::moment::Moment;
use tokio::sync::watch;

pub use election::Election;
pub(crate) use election::REQUEST_LIMIT;

use crate::clock::BootClock;

/// Why this replica cannot take part any longer.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    /// The lease may not be read.
    #[error(
        "cannot use lease {namespace}/{name}; may this service account get, create and patch it?"
    )]
    Refused {
        /// Namespace of the lease.
        namespace: String,
        /// Name of the lease.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// Somebody else leads now.
    #[error("another replica leads now; stopping so that two never write")]
    Lost,
    /// The lease could not be renewed in time, or this process did not run for as long.
    #[error("the lease was not renewed in time; stopping before another replica leads")]
    NotRenewed,
}

/// Whether this replica leads. Clones share one state.
///
/// It ends by itself: a process that was stopped, or whose machine was, does not lead any more when it goes on,
/// whatever of it runs first.
#[derive(Clone, Debug)]
pub struct Leadership {
    /// When this replica must have stopped writing; `None` while it does not lead.
    until: watch::Receiver<Option<Moment>>,
    clock: BootClock,
}

/// The other end of [`Leadership`], for the [`Election`] alone.
#[derive(Clone, Debug)]
pub struct LeadershipSender {
    until: watch::Sender<Option<Moment>>,
    leadership: Leadership,
}

impl Leadership {
    /// A replica that does not lead yet.
    #[must_use]
    pub fn new() -> (LeadershipSender, Self) {
        Self::by(BootClock::default())
    }

    fn by(clock: BootClock) -> (LeadershipSender, Self) {
        let (sender, until) = watch::channel(None);
        let leadership = Self { until, clock };
        let sender = LeadershipSender {
            until: sender,
            leadership: leadership.clone(),
        };
        (sender, leadership)
    }

    /// Whether this replica leads now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let until = *self.until.borrow();
        until.is_some_and(|until| self.clock.now() < until)
    }

    /// Returns when this replica leads; never, if the process ends before.
    pub async fn gained(&self) {
        let mut until = self.until.clone();
        if until.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// One item when this replica leads.
    pub fn gained_once(&self) -> impl Stream<Item = ()> + Send + 'static {
        let leadership = self.clone();
        futures::stream::once(async move { leadership.gained().await })
    }

    /// One that is held until it is lost, or is not held; for tests.
    #[cfg(test)]
    pub(crate) fn fixed(leads: bool) -> (LeadershipSender, Self) {
        let (sender, leadership) = Self::new();
        if leads {
            sender.hold_for_ever();
        }
        (sender, leadership)
    }
}

impl LeadershipSender {
    /// The clock by which it is told.
    fn now(&self) -> Moment {
        self.leadership.clock.now()
    }

    /// This replica leads until then, unless more is said before.
    fn hold(&self, until: Moment) {
        self.until.send_replace(Some(until));
    }

    /// This replica does not lead any more.
    pub(crate) fn lose(&self) {
        self.until.send_replace(None);
    }

    /// This replica leads from now on; for tests.
    #[cfg(test)]
    pub(crate) fn hold_for_ever(&self) {
        self.hold(Moment::after_start(std::time::Duration::MAX));
    }
}

#[cfg(test)]
mod tests;
