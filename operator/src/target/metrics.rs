//! What is counted about targets. All label sets are closed.

use std::fmt;

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

/// Counters of targets. Clones share one state.
#[derive(Clone, Debug)]
pub(crate) struct TargetMetrics {
    patches: Family<PatchLabels, Counter>,
    patch_seconds: Family<KindLabels, Histogram>,
    targets: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PatchLabels {
    kind: KindLabel,
    outcome: PatchOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: KindLabel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct KindLabel(TargetKind);

/// `Ok`, or the class of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PatchOutcome(&'static str);

impl EncodeLabelValue for KindLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self.0 {
            TargetKind::Vm => "Vm",
            TargetKind::ScaleSet => "ScaleSet",
        }
        .encode(encoder)
    }
}

impl EncodeLabelValue for PatchOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }
}

impl TargetMetrics {
    /// Registers the metrics; once a process.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            patches: Family::default(),
            patch_seconds: Family::new_with_constructor(|| Histogram::new(PATCH_SECONDS)),
            targets: Gauge::default(),
        };
        registry.register(
            "assignment_patches",
            "Changes of the identities of a VM or scale set asked of Azure, by kind and by outcome: Ok, or the \
             class of Azure's error",
            metrics.patches.clone(),
        );
        registry.register(
            "assignment_patch_seconds",
            "Time from asking for a change until the VM or scale set has it, in seconds, by kind",
            metrics.patch_seconds.clone(),
        );
        registry.register(
            "assignment_targets",
            "VMs and scale sets that have, or should have, identities of pods",
            metrics.targets.clone(),
        );
        metrics.begin_at_zero();
        metrics
    }

    /// A family without a series is missing from `/metrics`, and a rate over it is then unknown.
    fn begin_at_zero(&self) {
        for kind in [TargetKind::Vm, TargetKind::ScaleSet].map(KindLabel) {
            let outcome = PatchOutcome("Ok");
            drop(self.patches.get_or_create(&PatchLabels { kind, outcome }));
            drop(self.patch_seconds.get_or_create(&KindLabels { kind }));
        }
    }

    pub(super) fn patched(&self, kind: TargetKind, error: Option<&AzureError>, seconds: f64) {
        let kind = KindLabel(kind);
        let outcome = PatchOutcome(error.map_or("Ok", |error| ErrorClass::as_str(error.class())));
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
}
