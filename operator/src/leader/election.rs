//! How a replica comes to lead, goes on leading, and lets go.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kube::Client;
use podid_core::lease::{Candidate, writes_until};
use podid_runtime::Drain;
use uuid::Uuid;

use super::object::{LeaseObject, state, version};
use super::{LeaderError, LeadershipSender};
use crate::args::LeaseArgs;
use crate::metrics::ControllerMetrics;

/// Between two looks of a replica that waits, and between two tries of one that leads. So long a hand-over takes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Between two renewals.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// Longest time for one call about the lease, so that a leader tries twice before it must stop.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(3);

/// This replica's part in the election.
#[derive(Clone, Debug)]
pub struct Election {
    lease: LeaseObject,
    replica: String,
    leads: LeadershipSender,
    /// Whether it led at any time, hence may still hold the lease.
    has_led: Arc<AtomicBool>,
    metrics: ControllerMetrics,
}

impl Election {
    /// Joins. The calls of `client` end within [`REQUEST_LIMIT`], so that they end in time for the lease, whatever
    /// hangs elsewhere.
    ///
    /// # Errors
    /// This replica may not read the lease. An API server that does not answer is waited for.
    pub async fn join(
        client: Client,
        namespace: &str,
        args: &LeaseArgs,
        leads: LeadershipSender,
        metrics: ControllerMetrics,
    ) -> Result<Self, LeaderError> {
        let name = &args.lease;
        let replica = args.replica.clone();
        let replica = replica.unwrap_or_else(|| Uuid::new_v4().to_string());
        let lease = LeaseObject::new(client, namespace, name, &replica);
        match lease.read().await {
            Err(kube::Error::Api(status)) if status.code == 401 || status.code == 403 => {
                return Err(LeaderError::Refused {
                    namespace: namespace.to_owned(),
                    name: name.clone(),
                    source: kube::Error::Api(status),
                });
            }
            // Whoever asks whether it lives gets an answer meanwhile.
            Err(error) => warn(&error, "lease not readable"),
            Ok(_) => {}
        }
        Ok(Self {
            lease,
            replica,
            leads,
            has_led: Arc::default(),
            metrics,
        })
    }

    /// Waits for the lease, then leads and renews it.
    ///
    /// # Errors
    /// It led and does not any more.
    pub async fn run(self) -> Result<Infallible, LeaderError> {
        let version = self.gain().await;
        let Err(error) = self.keep(version).await;
        // From here on the gate refuses every write, also those of work that goes on.
        self.lose();
        Err(error)
    }

    /// Waits until this replica leads; the version of the lease that it has taken.
    async fn gain(&self) -> String {
        let mut candidate = Candidate::new(self.replica.clone());
        loop {
            match self.try_to_lead(&mut candidate).await {
                Ok(Some(version)) => return version,
                Ok(None) => {}
                Err(error) => warn(&error, "lease not readable"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn try_to_lead(&self, candidate: &mut Candidate) -> Result<Option<String>, kube::Error> {
        let lease = self.lease.read().await?;
        let asked = self.leads.now();
        if !candidate.may_take(lease.as_ref().map(state).as_ref(), asked) {
            return Ok(None);
        }
        let taken = self.lease.take(lease.as_ref()).await?;
        if taken.is_some() {
            tracing::info!(leads = true, "leader election");
            self.has_led.store(true, Ordering::Relaxed);
            self.metrics.set_leader(true);
            self.leads.hold(writes_until(asked));
        }
        Ok(taken)
    }

    /// Renews the lease again and again.
    async fn keep(&self, mut version: String) -> Result<Infallible, LeaderError> {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            version = self.renew(version).await?;
        }
    }

    /// Renews the lease, with several tries while there is time; its new version.
    async fn renew(&self, mut version: String) -> Result<String, LeaderError> {
        loop {
            let asked = self.leads.now();
            let renewed = self.try_to_renew(&version).await;
            // What was refused in between is not done again by anybody: a leader must have led all the time.
            if !self.leads.leadership.is_held() {
                return Err(LeaderError::NotRenewed);
            }
            match renewed {
                Ok(Renewal::Done(new)) => {
                    self.leads.hold(writes_until(asked));
                    return Ok(new);
                }
                Ok(Renewal::Again(new)) => version = new,
                Ok(Renewal::Lost) => return Err(LeaderError::Lost),
                Err(error) => {
                    warn(&error, "lease not renewed");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    async fn try_to_renew(&self, known: &str) -> Result<Renewal, kube::Error> {
        if let Some(new) = self.lease.renew(known).await? {
            return Ok(Renewal::Done(new));
        }
        let lease = self.lease.read().await?;
        Ok(match lease.filter(|lease| self.lease.is_ours(lease)) {
            Some(lease) => Renewal::Again(version(&lease)),
            None => Renewal::Lost,
        })
    }

    fn lose(&self) {
        tracing::info!(leads = false, "leader election");
        self.metrics.set_leader(false);
        self.leads.lose();
    }

    /// Lets another replica lead at once; for a process that has stopped working.
    pub async fn release(&self) {
        if !self.has_led.load(Ordering::Relaxed) {
            return;
        }
        self.lose();
        if let Err(error) = self.lease.release().await {
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

/// What came of a try to renew the lease.
enum Renewal {
    /// It is renewed, and has this version now.
    Done(String),
    /// This replica holds it in this version: an earlier try succeeded and its answer was lost, or somebody has
    /// changed the object's metadata.
    Again(String),
    /// This replica does not hold it any more.
    Lost,
}

fn warn(error: &kube::Error, what: &'static str) {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
}
