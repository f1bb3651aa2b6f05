use super::*;
use crate::assigned_identity::AssignmentState;
use crate::binding::AzureIdentityType;
use crate::target::Target;
use crate::testing::{binding, id, identity, pod, scale_set};

#[test]
fn objects_are_written_when_they_differ_and_deleted_when_unwanted() {
    let assignment = PodIdentity {
        identity: identity("managed", AzureIdentityType::Managed, id("managed")),
        binding: binding("b", "managed"),
    };
    let (pod, target) = (pod(), Ok(scale_set()));
    let observed_pod = ObservedPod {
        pod: &pod,
        node: "n1",
        target: Some(&target),
        status: None,
        existing: &BTreeMap::new(),
    };
    let objects = |state: AssignmentState| {
        let progress = IdentityProgress {
            assignment: &assignment,
            state,
            failure: None,
            is_refused: false,
        };
        assigned_identities(&observed_pod, &[progress])
    };
    let (created, assigned) = (
        objects(AssignmentState::Created),
        objects(AssignmentState::Assigned),
    );
    let own = |text: &str| ("apps".to_owned(), text.to_owned());
    let expected = AssignedIdentity {
        pod_uid: "u1".into(),
        node: "n1".into(),
        identity: own("managed"),
        resource_id: Some(id("managed")),
        client_id: "c".into(),
        binding: own("b"),
        state: AssignmentState::Created,
    };
    assert_eq!(created.values().collect::<Vec<_>>(), [&expected]);
    let observed = |objects: &BTreeMap<String, AssignedIdentity>| -> BTreeMap<_, _> {
        objects
            .iter()
            .map(|(name, object)| (name.clone(), Some(object.clone())))
            .collect()
    };

    assert_eq!(
        plan_assigned_identities(&created, &BTreeMap::new()).apply,
        created
    );
    assert_eq!(
        plan_assigned_identities(&assigned, &observed(&created)).apply,
        assigned
    );
    assert_eq!(
        plan_assigned_identities(&assigned, &observed(&assigned)),
        AssignedIdentityPlan::default()
    );
    let unreadable = assigned.keys().map(|name| (name.clone(), None)).collect();
    assert_eq!(
        plan_assigned_identities(&assigned, &unreadable).apply,
        assigned
    );
    let gone = plan_assigned_identities(&BTreeMap::new(), &observed(&assigned));
    assert_eq!(
        gone.delete.into_iter().collect::<Vec<_>>(),
        assigned.into_keys().collect::<Vec<_>>()
    );
}

#[test]
fn no_object_is_written_while_the_target_is_not_known() {
    let assignment = PodIdentity {
        identity: identity("managed", AzureIdentityType::Managed, id("managed")),
        binding: binding("b", "managed"),
    };
    let count = |target: Option<Result<Target, NodeTargetError>>| {
        let observed = ObservedPod {
            pod: &pod(),
            node: "n1",
            target: target.as_ref(),
            status: None,
            existing: &BTreeMap::new(),
        };
        let progress = IdentityProgress {
            assignment: &assignment,
            state: AssignmentState::Created,
            failure: None,
            is_refused: false,
        };
        assigned_identities(&observed, &[progress]).len()
    };
    assert_eq!(count(None), 0);
    assert_eq!(count(Some(Target::from_provider_id(""))), 0);
    assert_eq!(count(Some(Ok(scale_set()))), 1);
    let elsewhere = Target::from_provider_id("kind://elsewhere");
    assert_eq!(
        count(Some(elsewhere)),
        1,
        "it says that the node is unknown"
    );
}
