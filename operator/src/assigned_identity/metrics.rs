//! What assignment counts. All label sets are closed.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::target::TargetMetrics;

/// Counters of assignment. Clones share one state.
#[derive(Clone, Debug)]
pub struct AssignedIdentityMetrics {
    pub(super) targets: TargetMetrics,
    unassigned_uses: Gauge<i64>,
    object_errors: Counter<u64, AtomicU64>,
}

impl AssignedIdentityMetrics {
    /// Registers the metrics; once a process.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            targets: TargetMetrics::register(registry),
            unassigned_uses: Gauge::default(),
            object_errors: Counter::default(),
        };
        registry.register(
            "assignment_backlog",
            "Uses of an identity by a pod whose identity is not on the VM or scale set yet",
            metrics.unassigned_uses.clone(),
        );
        registry.register(
            "assignment_object_errors",
            "Writes of AzureAssignedIdentities that failed and are repeated",
            metrics.object_errors.clone(),
        );
        metrics
    }

    pub(super) fn set_unassigned_uses(&self, count: usize) {
        self.unassigned_uses
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn object_failed(&self) {
        self.object_errors.inc();
    }
}
