//! What is to be done next for a pod: a decision without effects.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

/// The annotation in place of what a pod's containers would have returned.
pub(super) const EXIT_CODE: &str = "lab.podid.dev/exit-code";

/// What a pod has on the node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OnNode {
    /// It has its sandbox.
    pub(super) sandbox: bool,
    /// Its processes were asked to end, then.
    pub(super) terminated: Option<Timestamp>,
    /// None of its processes is left.
    pub(super) empty: bool,
    /// Its containers have all ended for good, with this exit code.
    pub(super) ended: Option<u8>,
    /// Its final status was written, though the watch may not have shown that yet.
    pub(super) finished: bool,
}

/// The one next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Make the sandbox.
    Create,
    /// See that the API server knows the pod runs.
    Report,
    /// End the pod as if its containers had returned this.
    Finish(u8),
    /// Ask its processes to end.
    Terminate,
    /// Give its processes the time they have left.
    AwaitEnd,
    /// Take the sandbox away.
    Remove,
    /// Delete the object: nothing is left of the pod on the node.
    Delete,
    /// The object is gone: take away what is left, and end.
    Forget,
    /// Nothing, until something changes.
    Rest,
}

/// Decides, for the newest version of the pod (`None`: it is gone from the API server).
pub(super) fn next(pod: Option<&Pod>, on_node: &OnNode, now: Timestamp) -> Step {
    let Some(pod) = pod else { return Step::Forget };
    if pod.metadata.deletion_timestamp.is_some() {
        return end(pod, on_node, now);
    }
    match (on_node.finished || is_over(pod), on_node.sandbox) {
        (true, true) => Step::Remove,
        (true, false) => Step::Rest,
        (false, false) => Step::Create,
        (false, true) => {
            let code = on_node.ended.or_else(|| exit_code(pod));
            code.map_or(Step::Report, Step::Finish)
        }
    }
}

/// The steps of a pod that is being deleted.
fn end(pod: &Pod, on_node: &OnNode, now: Timestamp) -> Step {
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
    match (on_node.sandbox, on_node.terminated) {
        // A grace period of zero is what `Delete` has set: the object now waits for finalizers only.
        (false, _) if grace == 0 => Step::Rest,
        (false, _) => Step::Delete,
        (true, None) => Step::Terminate,
        (true, Some(asked)) => {
            let limit = SignedDuration::from_secs(grace);
            if on_node.empty || now.duration_since(asked) >= limit {
                Step::Remove
            } else {
                Step::AwaitEnd
            }
        }
    }
}

/// Whether the pod has reached its final phase.
fn is_over(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// The exit code the pod is annotated with, where its restart policy lets it end.
fn exit_code(pod: &Pod) -> Option<u8> {
    let policy = pod.spec.as_ref()?.restart_policy.as_deref();
    let code = pod.annotations().get(EXIT_CODE)?.parse().ok()?;
    match (policy, code) {
        (Some("Never"), _) | (Some("OnFailure"), 0) => Some(code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const UP: OnNode = OnNode {
        sandbox: true,
        terminated: None,
        empty: false,
        ended: None,
        finished: false,
    };
    const DOWN: OnNode = OnNode {
        sandbox: false,
        terminated: None,
        empty: true,
        ended: None,
        finished: false,
    };

    fn pod(metadata: Value, policy: &str, phase: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": metadata,
            "spec": {"containers": [], "restartPolicy": policy},
            "status": {"phase": phase},
        }))
        .unwrap()
    }

    fn deleted(grace: i64) -> Pod {
        let metadata = json!({
            "deletionTimestamp": "2026-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": grace,
        });
        pod(metadata, "Always", "Running")
    }

    #[test]
    fn a_pod_is_made_then_reported() {
        let pod = pod(json!({}), "Always", "Pending");
        assert_eq!(next(Some(&pod), &DOWN, NOW), Step::Create);
        assert_eq!(next(Some(&pod), &UP, NOW), Step::Report);
    }

    #[test]
    fn deletion_asks_waits_removes_and_confirms() {
        let pod = deleted(30);
        let asked = |seconds, empty| OnNode {
            sandbox: true,
            terminated: Some(NOW - SignedDuration::from_secs(seconds)),
            empty,
            ended: None,
            finished: false,
        };
        assert_eq!(next(Some(&pod), &UP, NOW), Step::Terminate);
        assert_eq!(next(Some(&pod), &asked(29, false), NOW), Step::AwaitEnd);
        assert_eq!(next(Some(&pod), &asked(30, false), NOW), Step::Remove);
        assert_eq!(next(Some(&pod), &asked(0, true), NOW), Step::Remove);
        assert_eq!(next(Some(&pod), &DOWN, NOW), Step::Delete);
    }

    #[test]
    fn finalizers_are_waited_for() {
        assert_eq!(next(Some(&deleted(0)), &DOWN, NOW), Step::Rest);
        assert_eq!(next(Some(&deleted(0)), &UP, NOW), Step::Terminate);
    }

    #[test]
    fn a_vanished_pod_is_forgotten() {
        assert_eq!(next(None, &UP, NOW), Step::Forget);
        assert_eq!(next(None, &DOWN, NOW), Step::Forget);
    }

    #[test]
    fn an_exit_code_ends_only_pods_that_may_end() {
        let annotated = |code: &str, policy| {
            let pod = pod(json!({"annotations": {EXIT_CODE: code}}), policy, "Running");
            next(Some(&pod), &UP, NOW)
        };
        assert_eq!(annotated("0", "Never"), Step::Finish(0));
        assert_eq!(annotated("7", "Never"), Step::Finish(7));
        assert_eq!(annotated("0", "OnFailure"), Step::Finish(0));
        assert_eq!(annotated("7", "OnFailure"), Step::Report);
        assert_eq!(annotated("0", "Always"), Step::Report);
        assert_eq!(annotated("nonsense", "Never"), Step::Report);
    }

    #[test]
    fn a_pod_ends_as_its_containers_did() {
        let pod = pod(json!({}), "Never", "Running");
        let ended = OnNode {
            ended: Some(3),
            ..UP
        };
        assert_eq!(next(Some(&pod), &ended, NOW), Step::Finish(3));
    }

    #[test]
    fn a_finished_pod_is_left_alone() {
        for phase in ["Succeeded", "Failed"] {
            let pod = pod(json!({}), "Never", phase);
            assert_eq!(next(Some(&pod), &UP, NOW), Step::Remove);
            assert_eq!(next(Some(&pod), &DOWN, NOW), Step::Rest);
        }
        let stale = pod(json!({}), "Never", "Running");
        let ended = OnNode {
            finished: true,
            ..DOWN
        };
        assert_eq!(next(Some(&stale), &ended, NOW), Step::Rest);
    }
}
