//! Which replica leads. One does at any time; the others keep their caches warm and write nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::Stream;
use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use podid_runtime::Drain;
use tokio::sync::watch;

use crate::args::Args;
use crate::metrics::ControllerMetrics;

/// How long a leader may be silent before another takes over, in seconds.
const DURATION: u64 = 15;

/// How long before that it renews, in seconds: enough for two tries of [`REQUEST_TIMEOUT`] each to
/// connect and to answer.
const GRACE: u64 = 10;

/// Longest wait for a connection, and for an answer, of a call about the lease.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause between the two tries.
const RETRY: Duration = Duration::from_secs(1);

/// Why this replica cannot take part any longer.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    /// The lease could not be read or made at the start.
    #[error(
        "cannot use lease {namespace}/{name}; may this service account get, create and patch it?"
    )]
    Setup {
        /// Namespace of the lease.
        namespace: String,
        /// Name of the lease.
        name: String,
        /// What the API server said.
        source: LeaseManagerError,
    },
    /// Somebody else leads now.
    #[error("another replica leads now; stopping so that two never write")]
    Lost,
    /// The lease could not be renewed in time.
    #[error("the lease could not be renewed in time; stopping before another replica leads")]
    NotRenewed(#[source] LeaseManagerError),
}

/// Whether this replica leads. Clones share one state.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<bool>);

/// The other end of [`Leadership`], for the [`Election`] alone.
#[derive(Debug)]
pub struct LeadershipSender(watch::Sender<bool>);

impl Leadership {
    /// A replica that does not lead yet.
    #[must_use]
    pub fn new() -> (LeadershipSender, Self) {
        let (sender, receiver) = watch::channel(false);
        (LeadershipSender(sender), Self(receiver))
    }

    /// Whether this replica leads now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when this replica leads; never, if the process ends before.
    pub async fn gained(&self) {
        let mut state = self.0.clone();
        if state.wait_for(|leads| *leads).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// One item when this replica leads.
    pub fn gained_once(&self) -> impl Stream<Item = ()> + Send + 'static {
        let leadership = self.clone();
        futures::stream::once(async move { leadership.gained().await })
    }

    /// A fixed answer; for tests.
    #[cfg(test)]
    pub(crate) fn fixed(leads: bool) -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(leads);
        (sender, Self(receiver))
    }
}

/// This replica's part in the election.
#[derive(Clone, Debug)]
pub struct Election {
    manager: Arc<LeaseManager>,
    leads: Arc<LeadershipSender>,
    /// Whether it led at any time, hence may still hold the lease.
    has_led: Arc<AtomicBool>,
    metrics: ControllerMetrics,
}

impl Election {
    /// Joins; a missing lease is made. The calls of `client` end within [`REQUEST_TIMEOUT`], so that they
    /// end in time for the lease, whatever hangs elsewhere.
    ///
    /// # Errors
    /// The lease cannot be read or made.
    pub async fn join(
        client: Client,
        args: &Args,
        leads: LeadershipSender,
        metrics: ControllerMetrics,
    ) -> Result<Self, LeaderError> {
        let mut builder = LeaseManagerBuilder::new(client, &args.lease.lease)
            .with_namespace(&args.namespace)
            .with_duration(DURATION)
            .with_grace(GRACE);
        if let Some(replica) = &args.lease.replica {
            builder = builder
                .with_identity(replica)
                .with_field_manager(format!("podid-operator-lease-{replica}"));
        }
        let manager = builder.build().await.map_err(|source| LeaderError::Setup {
            namespace: args.namespace.clone(),
            name: args.lease.lease.clone(),
            source,
        })?;
        Ok(Self {
            manager: Arc::new(manager),
            leads: Arc::new(leads),
            has_led: Arc::default(),
            metrics,
        })
    }

    /// Waits for the lease, then leads and renews it.
    ///
    /// # Errors
    /// It led and does not any more.
    pub async fn run(self) -> Result<Infallible, LeaderError> {
        loop {
            let changed = self.changed().await;
            if self.leads() && !matches!(changed, Ok(true)) {
                // From here on the gate refuses every write, also those of work that goes on.
                self.set_leads(false);
            }
            let was_leading = self.has_led.load(Ordering::Relaxed);
            match changed {
                Ok(false) if was_leading => return Err(LeaderError::Lost),
                Ok(leads) => {
                    tracing::info!(leads, "leader election");
                    self.set_leads(leads);
                }
                Err(error) if was_leading => return Err(LeaderError::NotRenewed(error)),
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    /// Waits until it changes who leads, or the lease cannot be used. A leader tries a second time before
    /// it gives up.
    async fn changed(&self) -> Result<bool, LeaseManagerError> {
        let error = match self.manager.changed().await {
            Ok(leads) => return Ok(leads),
            Err(error) => error,
        };
        if !self.leads() {
            warn(&error, "lease not readable");
            return Err(error);
        }
        warn(&error, "lease not renewed");
        tokio::time::sleep(RETRY).await;
        self.manager.changed().await
    }

    fn leads(&self) -> bool {
        *self.leads.0.borrow()
    }

    fn set_leads(&self, leads: bool) {
        self.has_led.fetch_or(leads, Ordering::Relaxed);
        self.metrics.set_leader(leads);
        self.leads.0.send_replace(leads);
    }

    /// Lets another replica lead at once; for a process that has stopped working.
    pub async fn release(&self) {
        if !self.has_led.load(Ordering::Relaxed) {
            return;
        }
        self.set_leads(false);
        if let Err(error) = self.manager.release().await {
            warn(&error, "lease not released");
        }
    }

    /// As a task of the process. When the lease is lost, everything is cut off at once: what is
    /// still under way must not meet the work of the next leader.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn task(self, drain: Drain) -> Result<(), LeaderError> {
        let Err(error) = self.run().await;
        drain.force();
        Err(error)
    }
}

fn warn(error: &LeaseManagerError, what: &'static str) {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
}
