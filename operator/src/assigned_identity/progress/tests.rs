use podid_core::arm::ArmId;
use podid_core::assigned_identity::AssignedIdentity;
use podid_core::binding::IdentityLookup;
use podid_core::binding::{AzureIdentityType, Binding, BindingScope, Pod};
use podid_core::net_raw::Breach;
use podid_core::target::{Outlook, Target, TargetFailure};

use super::*;
use crate::assigned_identity::fake::{id, ids, target};
use crate::assigned_identity::index::{AssignmentIndex, PlacedPod};
use crate::assigned_identity::pod_events::warnings;

fn identity(resource_id: ArmId, origin: Origin, net_raw: NetRaw) -> AzureIdentity {
    AzureIdentity {
        namespace: "apps".into(),
        name: "web".into(),
        kind: AzureIdentityType::Managed,
        client_id: "c".into(),
        resource_id,
        principal_id: None,
        namespaced: false,
        origin,
        net_raw,
    }
}

fn free() -> IdentityLookup {
    IdentityLookup::Found {
        client_id: "c".into(),
        owner: None,
    }
}

/// An index with one pod, bound to one identity, on one node.
struct Fixture {
    index: AssignmentIndex,
    existing: ExistingContents,
}

impl Fixture {
    fn new(identity: &AzureIdentity, breaches: &[Breach]) -> Self {
        let mut index = AssignmentIndex::new(BindingScope::Cluster);
        let key = ObjectKey::new("apps", "web");
        let binding = Binding {
            namespace: "apps".into(),
            name: "web".into(),
            identity: "web".into(),
            selector: "web".into(),
            service_accounts: BTreeSet::new(),
            origin: identity.origin,
        };
        let pod = Pod {
            namespace: "apps".into(),
            name: "web".into(),
            uid: "u".into(),
            selector: Some("web".into()),
            service_account: "default".into(),
            breaches: breaches.iter().cloned().collect(),
        };
        let node = "node".to_owned();
        index.set_node("node", Some(Ok(target())));
        index.set_identity(&key, Some(identity.clone()));
        index.set_binding(&key, Some(binding));
        index.set_pod(&key, Some(PlacedPod { pod, node }));
        Self {
            index,
            existing: ExistingContents::new(),
        }
    }

    fn by_hand(name: &str) -> Self {
        Self::new(
            &identity(id(name), Origin::HandWritten, NetRaw::Ignore),
            &[],
        )
    }

    fn pod(&self) -> &IndexedPod {
        self.index
            .pod(&ObjectKey::new("apps", "web"))
            .expect("the pod")
    }

    /// Makes an AzureAssignedIdentity of the pod that has this identity as `Assigned`.
    fn exists_as_assigned(&mut self, resource_id: ArmId) {
        self.exists_as(resource_id, AssignmentState::Assigned);
    }

    /// Makes an AzureAssignedIdentity of the pod with this identity and state.
    fn exists_as(&mut self, resource_id: ArmId, state: AssignmentState) {
        let name = names::assigned_identity("web", "u", "apps", "web");
        let content = AssignedIdentity {
            pod_uid: "u".into(),
            node: "node".into(),
            identity: ("apps".into(), "web".into()),
            resource_id: Some(resource_id),
            client_id: "c".into(),
            binding: ("apps".into(), "web".into()),
            state,
        };
        self.existing.insert(name, Some(content));
    }

    fn progress(&self, report: Option<&TargetStatus>) -> AssignmentState {
        let progress = progress_of_pod(self.pod(), report, &self.existing);
        progress[0].state.clone()
    }

    fn count_entry(&self) -> PodCountEntry {
        let pod = self.pod();
        let entries = pod_count_entries(
            pod,
            &progress_of_pod(pod, Some(&report(&["a"], None)), &self.existing),
        );
        entries[&ObjectKey::new("apps", "web")].clone()
    }
}

fn report(carries: &[&str], failure: Option<Outlook>) -> TargetStatus {
    let failure = failure.map(|outlook| TargetFailure {
        cause: AssignmentFailure {
            reason: "Refused".into(),
            message: "mend it".into(),
        },
        outlook,
    });
    TargetStatus {
        generation: 1,
        carries: Some(ids(carries)),
        ours: BTreeSet::new(),
        failures: failure
            .map(|failure| (id("a"), failure))
            .into_iter()
            .collect(),
        at_rest: false,
    }
}

#[test]
fn an_identity_that_is_there_for_others_is_not_assigned_before_it_is_checked() {
    let mut fixture = Fixture::by_hand("a");
    let there = report(&["a"], None);
    assert_eq!(fixture.progress(Some(&there)), AssignmentState::Created);
    fixture.index.set_known(&id("a"), Some(free()));
    assert_eq!(fixture.progress(Some(&there)), AssignmentState::Assigned);
    fixture
        .index
        .set_known(&id("a"), Some(IdentityLookup::Absent));
    assert!(matches!(
        fixture.progress(Some(&there)),
        AssignmentState::Failed(_)
    ));
}

#[test]
fn what_was_said_of_one_identity_opens_no_other() {
    let mut fixture = Fixture::by_hand("a");
    fixture.exists_as_assigned(id("a"));
    assert_eq!(
        fixture.progress(None),
        AssignmentState::Assigned,
        "a restart stops nothing"
    );
    fixture.exists_as_assigned(id("another"));
    assert_eq!(
        fixture.progress(None),
        AssignmentState::Created,
        "the AzureIdentity was edited"
    );
}

fn refusal(reason: &str) -> AssignmentFailure {
    AssignmentFailure {
        reason: reason.into(),
        message: "mend it".into(),
    }
}

#[test]
fn what_azure_refused_before_a_restart_is_refused_until_azure_says_otherwise() {
    let mut fixture = Fixture::new(&identity(id("a"), Origin::Profile, NetRaw::Ignore), &[]);
    let key = ObjectKey::new("apps", "web");
    fixture.index.set_recorded(&key, Some(id("a")));
    let failed = AssignmentState::Failed(refusal("LinkedAuthorizationFailed"));
    fixture.exists_as(id("a"), failed.clone());
    let looked_at = report(&[], None);
    let again = report(&[], Some(Outlook::Doubtful));
    for report in [None, Some(&looked_at), Some(&again)] {
        assert_eq!(fixture.progress(report), failed, "{report:?}");
        let entries = pod_count_entries(
            fixture.pod(),
            &progress_of_pod(fixture.pod(), report, &fixture.existing),
        );
        let state = PodState::Failed(refusal("LinkedAuthorizationFailed"));
        assert_eq!(
            entries[&key].state, state,
            "its profile is not ready meanwhile"
        );
    }
    let there = report(&["a"], None);
    assert_eq!(fixture.progress(Some(&there)), AssignmentState::Assigned);
}

#[test]
fn nothing_is_said_against_an_identity_before_it_was_looked_up() {
    let mut fixture = Fixture::by_hand("a");
    let failed = AssignmentState::Failed(refusal("OwnedByProfile"));
    fixture.exists_as(id("a"), failed.clone());
    let said = |fixture: &Fixture| {
        let progress = progress_of_pod(fixture.pod(), None, &fixture.existing);
        let warnings = warnings::warnings(fixture.pod(), &progress).into_iter();
        let warnings: Vec<_> = warnings
            .map(|warning| (warning.reason, warning.word))
            .collect();
        (progress[0].state.clone(), warnings)
    };
    assert_eq!(said(&fixture), (failed.clone(), vec![]), "a restart");
    let trouble = IdentityLookup::NotYet(refusal("Throttled"));
    fixture.index.set_known(&id("a"), Some(trouble));
    let warning = ("IdentityNotAssigned".to_owned(), "Throttled".to_owned());
    assert_eq!(said(&fixture), (failed, vec![warning]));
    fixture
        .index
        .set_known(&id("a"), Some(IdentityLookup::Absent));
    let warning = ("IdentityNotFound".to_owned(), "IdentityNotFound".to_owned());
    assert_eq!(said(&fixture).1, [warning]);
}

#[test]
fn what_podid_itself_refused_is_forgotten_as_soon_as_it_serves() {
    let mut fixture = Fixture::by_hand("a");
    fixture.index.set_known(&id("a"), Some(free()));
    for reason in [
        "OwnedByProfile",
        "ClientIdMismatch",
        "IdentityNotFound",
        "IdentityNotReadable",
        "UnknownMachine",
    ] {
        fixture.exists_as(id("a"), AssignmentState::Failed(refusal(reason)));
        let looked_at = report(&[], None);
        assert_eq!(
            fixture.progress(Some(&looked_at)),
            AssignmentState::Created,
            "{reason}"
        );
    }
}

#[test]
fn only_what_lasts_is_told_to_the_pod_as_failed() {
    let mut fixture = Fixture::by_hand("a");
    fixture.index.set_known(&id("a"), Some(free()));
    for outlook in [Outlook::Passing, Outlook::Doubtful, Outlook::Lasting] {
        let report = report(&[], Some(outlook));
        let progress = progress_of_pod(fixture.pod(), Some(&report), &fixture.existing);
        let failed = matches!(progress[0].state, AssignmentState::Failed(_));
        assert_eq!(failed, outlook == Outlook::Lasting, "{outlook:?}");
        let trouble = progress[0].trouble.as_ref();
        assert_eq!(trouble.map(|it| it.reason.as_str()), Some("Refused"));
    }
}

#[test]
fn a_node_that_is_no_machine_of_azure_is_told_at_once_and_a_new_one_is_waited_for() {
    let mut fixture = Fixture::by_hand("a");
    fixture.index.set_known(&id("a"), Some(free()));
    let elsewhere = Target::from_provider_id("kind://elsewhere");
    fixture.index.set_node("node", Some(elsewhere));
    let AssignmentState::Failed(failure) = fixture.progress(None) else {
        panic!("it does not come by waiting");
    };
    assert_eq!(failure.reason, "UnknownMachine");
    assert!(failure.message.contains("node node"), "{}", failure.message);
    fixture
        .index
        .set_node("node", Some(Target::from_provider_id("")));
    assert_eq!(fixture.progress(None), AssignmentState::Created);
}

#[test]
fn only_pods_of_profiles_are_counted_and_those_that_break_the_rule_by_what_it_asks() {
    let keeps = [Breach::KeepsNetRaw("app".into())];
    let of = |net_raw| {
        let mut fixture = Fixture::new(&identity(id("a"), Origin::Profile, net_raw), &keeps);
        let key = ObjectKey::new("apps", "web");
        fixture.index.set_recorded(&key, Some(id("a")));
        fixture.count_entry()
    };
    let breaches = BTreeSet::from(keeps.clone());
    assert_eq!(
        of(NetRaw::Enforce).state,
        PodState::Refused(breaches.clone())
    );
    assert_eq!(of(NetRaw::Audit).state, PodState::Assigned);
    assert_eq!(of(NetRaw::Audit).audited, breaches);
    assert_eq!(of(NetRaw::Ignore).audited, BTreeSet::new());
    let by_hand = Fixture::by_hand("a");
    assert!(pod_count_entries(by_hand.pod(), &[]).is_empty());
}
