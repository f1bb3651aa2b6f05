//! How often the operator writes to the API server for a pod, by the API server's own record.

use podid_lab::layout::OPERATOR_ACCOUNT;
use podid_tests::rights;

use super::scene::Scene;
use crate::fixture::eventually;
use crate::stage::SET_NODES;

const OBJECT_APPLIED: &str = "patch aadpodidentity.k8s.io/azureassignedidentities";
const OBJECT_DELETED: &str = "delete aadpodidentity.k8s.io/azureassignedidentities";
const EVENT: &str = "create events.k8s.io/events";

impl Scene {
    /// What the operator has written in the namespace so far, sorted.
    pub(super) fn written(&self) -> Vec<String> {
        let log = self.stage.lab.audit_log();
        let mut written = rights::written(&log, OPERATOR_ACCOUNT, &self.namespace).unwrap();
        written.sort();
        written
    }

    /// Looks until the operator has written this, and no more.
    async fn until_written(&self, expected: &[&str]) {
        eventually(&format!("writes {expected:?}"), async || {
            let written = self.written();
            assert!(written.len() <= expected.len(), "{written:?}");
            (written == expected).then_some(())
        })
        .await;
    }
}

/// Weakness 1 of the predecessor: it wrote twice to give a pod an identity, also where the machine had it, and three times to
/// take it back; at 5 writes a second.
#[tokio::test]
async fn a_pod_costs_one_write_where_its_identity_is_already_and_one_to_take_it_back() {
    let scene = Scene::open("writes").await;
    let identity = scene.bind("web", "id").await;
    scene.pod("first", "web", SET_NODES[0]).await;
    scene.until_assigned(&[("first", "id", "Assigned")]).await;
    let mut expected = vec![EVENT, OBJECT_APPLIED, OBJECT_APPLIED];
    scene.until_written(&expected).await;

    scene.pod("second", "web", SET_NODES[1]).await;
    let both = [("first", "id", "Assigned"), ("second", "id", "Assigned")];
    scene.until_assigned(&both).await;
    expected.extend([EVENT, OBJECT_APPLIED]);
    expected.sort_unstable();
    scene.until_written(&expected).await;

    for (pod, left) in [("second", &both[..1]), ("first", &[])] {
        scene.delete_pod(pod).await;
        scene.until_assigned(left).await;
    }
    scene
        .stage
        .until_carried(SET_NODES[0], &identity, false)
        .await;
    let mut written = scene.written();
    let whole = written.len();
    written.retain(|call| call != OBJECT_DELETED);
    assert_eq!(written, expected, "nothing else is written");
    // The garbage collector deletes it as well, when the pod is gone.
    assert!(whole - written.len() <= 2, "one for each pod");
}
