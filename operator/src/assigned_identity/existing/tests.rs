use podid_core::arm::ArmId;
use podid_core::assigned_identity::AssignmentFailure;

use super::*;

fn pod() -> Pod {
    Pod {
        namespace: "apps".into(),
        name: format!("{}-0", "w".repeat(80)),
        uid: "uid-1".into(),
        selector: Some("web".into()),
        service_account: "default".into(),
        breaches: [].into(),
        unserved: None,
    }
}

fn content(state: AssignmentState) -> AssignedIdentity {
    AssignedIdentity {
        pod_uid: pod().uid,
        node: "node-1".into(),
        identity: ("team".into(), "web".into()),
        resource_id: Some(ArmId::new("/subscriptions/s/x/Web")),
        client_id: "c".into(),
        binding: ("team".into(), "web-binding".into()),
        state,
    }
}

fn object(version: &str, state: AssignmentState) -> AzureAssignedIdentity {
    let mut object = to_object(&pod(), "name", &content(state));
    object.metadata.resource_version = Some(version.into());
    object
}

#[test]
fn what_is_written_is_what_is_read() {
    let failed = AssignmentState::Failed(AssignmentFailure {
        reason: "LinkedAuthorizationFailed".into(),
        message: "grant the right".into(),
    });
    for progress in [AssignmentState::Created, AssignmentState::Assigned, failed] {
        let object = object("1", progress.clone());
        let text = serde_json::to_string(&object).expect("JSON");
        let object: AzureAssignedIdentity = serde_json::from_str(&text).expect("an object");
        let seen = read_object(&object);
        assert_eq!(seen.content, Some(content(progress)));
        assert_eq!(seen.pod, ObjectKey::new("apps", pod().name));
    }
}

/// Weakness 52 of the predecessor: each object had copies of the whole AzureIdentity and binding in it, with managed
/// fields and annotations.
#[test]
fn an_object_carries_what_readers_and_the_garbage_collector_need() {
    let object = serde_json::to_value(object("1", AssignmentState::Created)).expect("JSON");
    assert_eq!(object["status"]["status"], "Created");
    assert_eq!(object["metadata"]["labels"]["nodename"], "node-1");
    assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], "uid-1");
    assert!(
        object["metadata"]["labels"]["podname"]
            .as_str()
            .is_some_and(|name| name.len() <= 63)
    );
    let size = object.to_string().len();
    assert!(size < 2048, "it stays small: {size}");
}

/// Weakness 43 of the predecessor: each object had a finalizer, which held it for ever once the program that took it off was
/// uninstalled.
#[test]
fn nobody_is_needed_to_delete_an_object() {
    let object = object("1", AssignmentState::Assigned);
    assert_eq!(object.metadata.finalizers, None);
}

#[test]
fn an_object_that_says_something_else_is_written_again() {
    let mut object = object("1", AssignmentState::Assigned);
    object.status = Some(AzureAssignedIdentityStatus {
        status: Some("Unassigned".into()),
        ..AzureAssignedIdentityStatus::default()
    });
    assert_eq!(read_object(&object).content, None);
    object.spec = AzureAssignedIdentitySpec::default();
    assert_eq!(read_object(&object).content, None);
}

#[test]
fn a_late_answer_of_a_watch_does_not_undo_what_we_wrote() {
    let (key, mut existing) = (ObjectKey::new("apps", "name"), ExistingObjects::default());
    let pod = ObjectKey::new("apps", pod().name);
    existing.set(&key, read_object(&object("12", AssignmentState::Assigned)));
    existing.set(&key, read_object(&object("9", AssignmentState::Created)));
    let of_pod = existing.of_pod(&pod);
    assert_eq!(of_pod["name"], Some(content(AssignmentState::Assigned)));
    assert_eq!(existing.remove(&key), Some(pod.clone()));
    assert!(existing.of_pod(&pod).is_empty());
    assert_eq!(existing.remove(&key), None);
}
