//! What assignment counts. All label sets are closed.

use std::fmt;
use std::sync::atomic::AtomicU64;

use podid_azure::{AzureError, ErrorClass};
use podid_core::target::TargetKind;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds in seconds: from an answer at once to the fifteen minutes a client waits.
const PATCH_SECONDS: [f64; 10] = [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0];

/// Counters of assignment. Clones share one state.
#[derive(Clone, Debug)]
pub struct Metrics {
    patches: Family<PatchLabels, Counter>,
    patch_seconds: Family<KindLabels, Histogram>,
    targets: Gauge,
    backlog: Gauge<i64>,
    object_errors: Counter<u64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PatchLabels {
    kind: Kind,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind(TargetKind);

/// `Ok`, or the class of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Outcome(&'static str);

impl EncodeLabelValue for Kind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self.0 {
            TargetKind::Vm => "vm",
            TargetKind::ScaleSet => "scale_set",
        }
        .encode(encoder)
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }
}

impl Metrics {
    /// Registers the metrics; once a process.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            patches: Family::default(),
            patch_seconds: Family::new_with_constructor(|| Histogram::new(PATCH_SECONDS)),
            targets: Gauge::default(),
            backlog: Gauge::default(),
            object_errors: Counter::default(),
        };
        registry.register(
            "assignment_patches",
            "Changes of a machine's identities asked of Azure",
            metrics.patches.clone(),
        );
        registry.register(
            "assignment_patch_seconds",
            "Time from asking for a change until the machine has it",
            metrics.patch_seconds.clone(),
        );
        registry.register(
            "assignment_targets",
            "Machines that carry, or should carry, identities of pods",
            metrics.targets.clone(),
        );
        registry.register(
            "assignment_backlog",
            "Uses of an identity by a pod whose identity is not on the machine yet",
            metrics.backlog.clone(),
        );
        registry.register(
            "assignment_object_errors",
            "Writes of AzureAssignedIdentities that failed and are repeated",
            metrics.object_errors.clone(),
        );
        metrics
    }

    pub(super) fn patched(&self, kind: TargetKind, error: Option<&AzureError>, seconds: f64) {
        let kind = Kind(kind);
        let outcome = Outcome(error.map_or("Ok", |error| ErrorClass::as_str(error.class())));
        self.patches
            .get_or_create(&PatchLabels { kind, outcome })
            .inc();
        if error.is_none() {
            self.patch_seconds
                .get_or_create(&KindLabels { kind })
                .observe(seconds);
        }
    }

    pub(super) fn set_targets(&self, count: usize) {
        self.targets.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn set_backlog(&self, count: usize) {
        self.backlog.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn object_failed(&self) {
        self.object_errors.inc();
    }
}
