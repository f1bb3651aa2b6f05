use std::collections::BTreeSet;

use super::*;
use crate::arm::ArmId;
use crate::assigned_identity::assignment_warnings;
use crate::binding::{AzureIdentityType, HandWrittenLimits, IdentityLookup, PodIdentities, verify};
use crate::owner::Origin;
use crate::target::{Persistence, TargetFailure};
use crate::testing::{binding, id, identity, ids, pod, scale_set};

const FREE: IdentityLookup = IdentityLookup::Found {
    client_id: String::new(),
    owner: None,
};

/// One pod that is bound to one AzureIdentity, on one node.
struct Fixture {
    assignment: PodIdentity,
    /// The identity in the status of the profile.
    recorded: Option<ArmId>,
    /// What Azure says of the identity.
    lookup: Option<IdentityLookup>,
    target: Result<Target, NodeTargetError>,
    existing: BTreeMap<String, Option<AssignedIdentity>>,
}

impl Fixture {
    /// The AzureIdentity is written by hand.
    fn by_hand() -> Self {
        let identity = AzureIdentity {
            client_id: String::new(),
            ..identity("web", AzureIdentityType::Managed, id("a"))
        };
        Self {
            assignment: PodIdentity {
                identity,
                binding: binding("b", "web"),
            },
            recorded: None,
            lookup: None,
            target: Ok(scale_set()),
            existing: BTreeMap::new(),
        }
    }

    /// The AzureIdentity is a profile's.
    fn of_profile() -> Self {
        let mut fixture = Self::by_hand();
        fixture.assignment.identity.origin = Origin::Profile;
        fixture.recorded = Some(id("a"));
        fixture
    }

    fn looked_up(lookup: IdentityLookup) -> Self {
        Self {
            lookup: Some(lookup),
            ..Self::by_hand()
        }
    }

    /// The pod has an AzureAssignedIdentity with this identity and state.
    fn exists_as(&mut self, resource_id: ArmId, state: AssignmentState) {
        let content = AssignedIdentity {
            pod_uid: pod().uid,
            node: "node-1".into(),
            identity: ("apps".into(), "web".into()),
            resource_id: Some(resource_id),
            client_id: String::new(),
            binding: ("apps".into(), "b".into()),
            state,
        };
        let name = names::assigned_identity(&pod().name, &pod().uid, "apps", "web");
        self.existing.insert(name, Some(content));
    }

    fn progress(&self, status: Option<&TargetStatus>) -> IdentityProgress<'_> {
        let identity = &self.assignment.identity;
        let verification = verify(
            identity,
            self.recorded.as_ref(),
            self.lookup.as_ref(),
            HandWrittenLimits::ANY,
        );
        let observed = ObservedPod {
            pod: &pod(),
            node: "node-1",
            target: Some(&self.target),
            status,
            existing: &self.existing,
        };
        observed.progress(&self.assignment, &verification)
    }

    fn state(&self, status: Option<&TargetStatus>) -> AssignmentState {
        self.progress(status).state
    }
}

fn status(present: &[&str], failure: Option<Persistence>) -> TargetStatus {
    let failure = failure.map(|persistence| TargetFailure {
        cause: refusal("Refused"),
        persistence,
    });
    TargetStatus {
        generation: 1,
        present: Some(ids(present)),
        ours: BTreeSet::new(),
        failures: failure
            .map(|failure| (id("a"), failure))
            .into_iter()
            .collect(),
        at_rest: false,
    }
}

fn refusal(reason: &str) -> AssignmentFailure {
    AssignmentFailure {
        reason: reason.into(),
        message: "mend it".into(),
    }
}

#[test]
fn an_identity_that_is_there_for_others_is_not_assigned_before_it_is_checked() {
    let mut fixture = Fixture::by_hand();
    let there = status(&["a"], None);
    assert_eq!(fixture.state(Some(&there)), AssignmentState::Created);
    fixture.lookup = Some(FREE);
    assert_eq!(fixture.state(Some(&there)), AssignmentState::Assigned);
    fixture.lookup = Some(IdentityLookup::Absent);
    assert!(matches!(
        fixture.state(Some(&there)),
        AssignmentState::Failed(_)
    ));
}

#[test]
fn the_state_of_one_identity_is_not_that_of_another() {
    let mut fixture = Fixture::by_hand();
    fixture.exists_as(id("a"), AssignmentState::Assigned);
    assert_eq!(
        fixture.state(None),
        AssignmentState::Assigned,
        "a restart stops nothing"
    );
    fixture.exists_as(id("another"), AssignmentState::Assigned);
    assert_eq!(
        fixture.state(None),
        AssignmentState::Created,
        "the AzureIdentity was edited"
    );
}

#[test]
fn what_azure_refused_before_a_restart_is_refused_until_azure_says_otherwise() {
    let mut fixture = Fixture::of_profile();
    let failed = AssignmentState::Failed(refusal("LinkedAuthorizationFailed"));
    fixture.exists_as(id("a"), failed.clone());
    let looked_at = status(&[], None);
    let again = status(&[], Some(Persistence::Unconfirmed));
    for status in [None, Some(&looked_at), Some(&again)] {
        let progress = fixture.progress(status);
        assert_eq!(progress.state, failed, "{status:?}");
        let failure = Some(refusal("LinkedAuthorizationFailed"));
        assert_eq!(progress.failure, failure, "{status:?}");
    }
    let there = status(&["a"], None);
    assert_eq!(fixture.state(Some(&there)), AssignmentState::Assigned);
}

#[test]
fn nothing_is_said_against_an_identity_before_it_was_looked_up() {
    let mut fixture = Fixture::by_hand();
    let failed = AssignmentState::Failed(refusal("OwnedByProfile"));
    fixture.exists_as(id("a"), failed.clone());
    let said = |fixture: &Fixture| {
        let progress = fixture.progress(None);
        let state = progress.state.clone();
        let warnings = assignment_warnings(&PodIdentities::default(), &[progress]).into_iter();
        let warnings = warnings.map(|warning| (warning.reason, warning.word));
        (state, warnings.collect::<Vec<_>>())
    };
    assert_eq!(said(&fixture), (failed.clone(), vec![]), "a restart");
    fixture.lookup = Some(IdentityLookup::NotYet(refusal("Throttled")));
    let warning = ("IdentityNotAssigned".to_owned(), "Throttled".to_owned());
    assert_eq!(said(&fixture), (failed, vec![warning]));
    fixture.lookup = Some(IdentityLookup::Absent);
    let warning = ("IdentityNotFound".to_owned(), "IdentityNotFound".to_owned());
    assert_eq!(said(&fixture).1, [warning]);
}

#[test]
fn a_lookup_that_fails_says_nothing_against_what_is_assigned() {
    let mut fixture = Fixture::looked_up(IdentityLookup::NotYet(refusal("Throttled")));
    assert_eq!(fixture.progress(None).failure, Some(refusal("Throttled")));
    fixture.exists_as(id("a"), AssignmentState::Assigned);
    assert_eq!(fixture.state(None), AssignmentState::Assigned);
    assert_eq!(fixture.progress(None).failure, None);
}

#[test]
fn what_podid_itself_refused_is_forgotten_as_soon_as_it_serves() {
    let mut fixture = Fixture::looked_up(FREE);
    for reason in [
        "OwnedByProfile",
        "ClientIdMismatch",
        "IdentityNotFound",
        "IdentityNotReadable",
        "UnknownNode",
    ] {
        fixture.exists_as(id("a"), AssignmentState::Failed(refusal(reason)));
        let looked_at = status(&[], None);
        assert_eq!(
            fixture.state(Some(&looked_at)),
            AssignmentState::Created,
            "{reason}"
        );
    }
}

#[test]
fn only_what_lasts_makes_the_pod_fail() {
    let fixture = Fixture::looked_up(FREE);
    for persistence in [
        Persistence::Transient,
        Persistence::Unconfirmed,
        Persistence::Permanent,
    ] {
        let status = status(&[], Some(persistence));
        let progress = fixture.progress(Some(&status));
        let failed = matches!(progress.state, AssignmentState::Failed(_));
        assert_eq!(
            failed,
            persistence == Persistence::Permanent,
            "{persistence:?}"
        );
        assert_eq!(progress.failure, Some(refusal("Refused")));
        assert!(!progress.is_refused);
    }
}

#[test]
fn a_node_outside_azure_fails_at_once_and_a_new_one_is_waited_for() {
    let mut fixture = Fixture::looked_up(FREE);
    fixture.target = Target::from_provider_id("kind://elsewhere");
    let AssignmentState::Failed(failure) = fixture.state(None) else {
        panic!("it does not come by waiting");
    };
    assert_eq!(failure.reason, "UnknownNode");
    let message = &failure.message;
    assert!(message.contains("node node-1"), "{message}");
    fixture.target = Target::from_provider_id("");
    assert_eq!(fixture.state(None), AssignmentState::Created);
}
