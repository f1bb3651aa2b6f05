//! Metrics of the profile and class controllers. All label sets are closed.

use std::time::Duration;

use podid_core::condition::ReconcileOutcome;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds in seconds: from a reconciliation without changes to a creation under throttling.
const SECONDS: [f64; 10] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// Counters of the profile and class controllers. Clones share one state.
#[derive(Clone, Debug)]
pub struct ControllerMetrics {
    reconciles: Family<ReconcileLabels, Counter>,
    seconds: Family<ControllerLabels, Histogram>,
    steps: Family<StepLabels, Counter>,
    leader: Gauge,
}

/// Which controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Controller {
    /// Of PodIdentityProfiles.
    Profile,
    /// Of PodIdentityClasses.
    Class,
}

/// How a reconciliation came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum CountedOutcome {
    /// Everything is as desired.
    Ready,
    /// Work goes on.
    Progressing,
    /// Something went wrong and is tried again.
    Retrying,
    /// Something that others must provide is missing.
    Waiting,
    /// A person must act.
    Stalled,
    /// Suspended by its author.
    Suspended,
    /// Gone, with all that belonged to it.
    Deleted,
    /// The API server refused something.
    Failed,
}

impl CountedOutcome {
    const ALL: [Self; 8] = [
        Self::Ready,
        Self::Progressing,
        Self::Retrying,
        Self::Waiting,
        Self::Stalled,
        Self::Suspended,
        Self::Deleted,
        Self::Failed,
    ];

    /// Value of the metrics label.
    #[must_use]
    pub fn of(outcome: &ReconcileOutcome) -> Self {
        match outcome {
            ReconcileOutcome::Ready { .. } => Self::Ready,
            ReconcileOutcome::Progressing { .. } => Self::Progressing,
            ReconcileOutcome::Retrying { .. } => Self::Retrying,
            ReconcileOutcome::Waiting { .. } => Self::Waiting,
            ReconcileOutcome::Stalled { .. } => Self::Stalled,
            ReconcileOutcome::Suspended { .. } => Self::Suspended,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    controller: Controller,
    outcome: CountedOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControllerLabels {
    controller: Controller,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    step: &'static str,
}

impl ControllerMetrics {
    /// Registers the metrics; once a process.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            reconciles: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            steps: Family::default(),
            leader: Gauge::default(),
        };
        let reconciles = metrics.reconciles.clone();
        registry.register(
            "reconciles",
            "Reconciliations, by controller and by how they came out",
            reconciles,
        );
        let seconds = metrics.seconds.clone();
        registry.register(
            "reconcile_seconds",
            "Time one reconciliation took, in seconds",
            seconds,
        );
        let steps = metrics.steps.clone();
        registry.register(
            "plan_steps",
            "Steps of the plans of profiles that were done, by step",
            steps,
        );
        let leader = metrics.leader.clone();
        registry.register("leader", "1 while this replica leads, else 0", leader);
        metrics.begin_at_zero();
        metrics
    }

    /// A family without a series is missing from `/metrics`, and a rate over it is then unknown.
    fn begin_at_zero(&self) {
        for controller in [Controller::Profile, Controller::Class] {
            drop(self.seconds.get_or_create(&ControllerLabels { controller }));
            for outcome in CountedOutcome::ALL {
                let labels = ReconcileLabels {
                    controller,
                    outcome,
                };
                drop(self.reconciles.get_or_create(&labels));
            }
        }
        let step = "CreateIdentity";
        drop(self.steps.get_or_create(&StepLabels { step }));
    }

    /// One reconciliation is over.
    pub fn reconciled(&self, controller: Controller, outcome: CountedOutcome, took: Duration) {
        let labels = ReconcileLabels {
            controller,
            outcome,
        };
        self.reconciles.get_or_create(&labels).inc();
        self.seconds
            .get_or_create(&ControllerLabels { controller })
            .observe(took.as_secs_f64());
    }

    /// One step of a plan was done.
    pub fn step_done(&self, step: &'static str) {
        self.steps.get_or_create(&StepLabels { step }).inc();
    }

    /// Whether this replica leads.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }
}
