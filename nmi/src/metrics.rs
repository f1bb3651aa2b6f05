//! Metrics of the daemon. Every label has a closed set of values, so that no request of a pod can
//! create a new time series.

use std::time::Duration;

use podid_azure::ImdsError;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Histogram buckets in seconds, from half a millisecond to the longest wait.
const BUCKETS: [f64; 10] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    /// `Issued`, or the word of a refusal.
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ImdsLabels {
    /// See [`imds_outcome`].
    outcome: &'static str,
}

/// The outcomes of requests to the metadata service.
const IMDS_OUTCOMES: [&str; 5] = ["Token", "Throttled", "Refused", "NoAnswer", "Malformed"];

fn imds_outcome(answer: Result<(), &ImdsError>) -> &'static str {
    match answer {
        Ok(()) => "Token",
        Err(ImdsError::Refused { status: 429, .. }) => "Throttled",
        Err(ImdsError::Refused { .. }) => "Refused",
        Err(ImdsError::Unreachable { .. } | ImdsError::Timeout { .. }) => "NoAnswer",
        Err(_) => "Malformed",
    }
}

/// The daemon's metrics. Clones share the numbers.
#[derive(Clone, Debug)]
pub(crate) struct NodeMetrics {
    requests: Family<RequestLabels, Counter>,
    duration: Histogram,
    imds_requests: Family<ImdsLabels, Counter>,
    /// Tokens that were handed out without a request to their source.
    pub(crate) tokens_from_cache: Counter,
    /// Tokens that are kept, each counted once for all pods of its identity.
    pub(crate) tokens_kept: Gauge,
    /// Connections refused because there were too many.
    pub(crate) connections_refused: Counter,
    /// Idle connections ended to make room for others.
    pub(crate) connections_ended: Counter,
    /// Pods that are attested and whose rules are installed, hence served.
    pub(crate) pods_attested: Gauge,
    /// Attestations that failed for a cause that a person must remove.
    pub(crate) attestation_errors: Counter,
    /// Times the rules had to be repaired.
    pub(crate) rules_repaired: Counter,
}

impl NodeMetrics {
    /// Registers all of them.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            duration: Histogram::new(BUCKETS),
            imds_requests: Family::default(),
            tokens_from_cache: Counter::default(),
            tokens_kept: Gauge::default(),
            connections_refused: Counter::default(),
            connections_ended: Counter::default(),
            pods_attested: Gauge::default(),
            attestation_errors: Counter::default(),
            rules_repaired: Counter::default(),
        };
        let mut counter = |name, help, counter: &Counter| {
            registry.register(name, help, counter.clone());
        };
        counter(
            "nmi_connections_refused",
            "Connections refused because there were too many",
            &metrics.connections_refused,
        );
        counter(
            "nmi_connections_ended",
            "Idle connections ended to make room for others",
            &metrics.connections_ended,
        );
        counter(
            "nmi_attestation_errors",
            "Times a pod was not attested because the kernel and the API server disagreed about it",
            &metrics.attestation_errors,
        );
        counter(
            "nmi_rules_repaired",
            "Times the kernel's rules had been changed by others and were repaired",
            &metrics.rules_repaired,
        );
        metrics.register_requests(registry);
        metrics.register_tokens(registry);
        registry.register(
            "nmi_pods_attested",
            "Pods of this node that are attested and served",
            metrics.pods_attested.clone(),
        );
        metrics
    }

    fn register_requests(&self, registry: &mut Registry) {
        registry.register(
            "nmi_requests",
            "Requests answered, by outcome: Issued, or the word of the refusal that the audit line has",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "nmi_request_duration",
            "Time from request to answer, waiting included",
            Unit::Seconds,
            self.duration.clone(),
        );
        let outcome = "Issued";
        // A family without a series is missing from `/metrics`.
        drop(self.requests.get_or_create(&RequestLabels { outcome }));
    }

    fn register_tokens(&self, registry: &mut Registry) {
        registry.register(
            "nmi_imds_requests",
            "Requests to the node's metadata service, by outcome: Token, Throttled, Refused, NoAnswer or Malformed",
            self.imds_requests.clone(),
        );
        for outcome in IMDS_OUTCOMES {
            drop(self.imds_requests.get_or_create(&ImdsLabels { outcome }));
        }
        registry.register(
            "nmi_tokens_from_cache",
            "Tokens handed out without a request to the metadata service",
            self.tokens_from_cache.clone(),
        );
        registry.register(
            "nmi_tokens_kept",
            "Tokens that are kept, each counted once for all pods of its identity",
            self.tokens_kept.clone(),
        );
    }

    /// Counts one request to the metadata service.
    pub(crate) fn imds_answered(&self, answer: Result<(), &ImdsError>) {
        let outcome = imds_outcome(answer);
        self.imds_requests
            .get_or_create(&ImdsLabels { outcome })
            .inc();
    }

    /// Counts one answered request.
    pub(crate) fn answered(&self, outcome: &'static str, took: Duration) {
        self.requests
            .get_or_create(&RequestLabels { outcome })
            .inc();
        self.duration.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_shown_from_the_start() {
        let mut registry = Registry::default();
        NodeMetrics::register(&mut registry);
        let registered = format!("{registry:?}").matches("Descriptor {").count();
        let text = podid_runtime::metrics::text(&registry);
        let shown = text.matches("# HELP ").count();
        assert!(
            registered > 5 && shown == registered,
            "{shown} of {registered}"
        );
    }
}
