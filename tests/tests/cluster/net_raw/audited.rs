//! What the API server's audit log has of a pod that a policy only warns of.

use std::fs;

use serde_json::Value;

use super::{drops, keeps, pod, space};
use crate::fixture::{Space, audit_log, eventually};

/// The key of the annotation, which Kubernetes has given it.
const ANNOTATION: &str = "validation.policy.admission.k8s.io/validation_failure";

impl Space {
    /// What the audit log says with these words of pods of the namespace, once it does.
    pub(crate) async fn audited(&self, words: &str) -> String {
        eventually("a line of the audit log", async || {
            let notes = self.notes().into_iter();
            notes.rev().find(|note| note.contains(words))
        })
        .await
    }

    /// Annotations of the creates of pods in the namespace.
    fn notes(&self) -> Vec<String> {
        let log = fs::read_to_string(audit_log()).unwrap();
        // The last line may be half written.
        let events = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let own = events.filter(|event| event["objectRef"]["namespace"] == *self.name);
        let notes =
            own.filter_map(|event| Some(event["annotations"][ANNOTATION].as_str()?.to_owned()));
        notes.collect()
    }
}

#[tokio::test]
async fn audit_leaves_a_note_of_the_pod_that_breaks_the_rule_and_of_no_other() {
    let space = space().await;
    space
        .create("Pod", pod("clean", "Watched", &drops("ALL")), false)
        .await
        .unwrap();
    // Known to the policy of the other mode does not mean known to this one's.
    let path = format!("/api/v1/namespaces/{}/pods", space.name);
    let probe = pod("probe", "Watched", &keeps());
    eventually("a warning", async || space.warning(&path, &probe).await).await;
    space
        .create("Pod", pod("breaking", "Watched", &keeps()), false)
        .await
        .unwrap();
    let note = space.audited("pod breaking").await;
    for words in [
        "podid-net-raw-audit",
        "profile audit (netRaw: Audit)",
        "container app does not drop NET_RAW",
    ] {
        assert!(note.contains(words), "{words:?} is not in: {note}");
    }
    let of_clean = space
        .notes()
        .into_iter()
        .find(|note| note.contains("pod clean"));
    assert_eq!(of_clean, None);
}
