use podid_core::arm::ArmId;
use podid_core::assigned_identity::AssignedIdentity;
use podid_core::binding::IdentityLookup;
use podid_core::binding::{AzureIdentityType, Binding, BindingScope, Pod};
use podid_core::net_raw::Breach;
use podid_core::target::{Outlook, Target, TargetFailure};

use super::*;
use crate::assigned_identity::fake::{id, ids, target};
use crate::assigned_identity::index::{AssignmentIndex, PlacedPod};
use crate::assigned_identity::warnings;

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
struct Bench {
    index: AssignmentIndex,
    said: Said,
}

impl Bench {
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
            said: Said::new(),
        }
    }

    fn by_hand(name: &str) -> Self {
        Self::new(
            &identity(id(name), Origin::HandWritten, NetRaw::Ignore),
            &[],
        )
    }

    fn entry(&self) -> &IndexedPod {
        self.index
            .pod(&ObjectKey::new("apps", "web"))
            .expect("the pod")
    }

    /// The pod's AzureAssignedIdentity says `Assigned`, of this identity.
    fn said_assigned(&mut self, resource_id: ArmId) {
        self.said_before(resource_id, AssignmentState::Assigned);
    }

    /// It says this.
    fn said_before(&mut self, resource_id: ArmId, state: AssignmentState) {
        let name = names::assigned_identity("web", "u", "apps", "web");
        let says = AssignedIdentity {
            pod_uid: "u".into(),
            node: "node".into(),
            identity: ("apps".into(), "web".into()),
            resource_id: Some(resource_id),
            client_id: "c".into(),
            binding: ("apps".into(), "web".into()),
            state,
        };
        self.said.insert(name, Some(says));
    }

    fn progress(&self, report: Option<&TargetStatus>) -> AssignmentState {
        let assessed = assess(self.entry(), report, &self.said);
        assessed[0].state.clone()
    }

    fn stage(&self) -> Row {
        let entry = self.entry();
        let rows = rows(
            entry,
            &assess(entry, Some(&report(&["a"], None)), &self.said),
        );
        rows[&ObjectKey::new("apps", "web")].clone()
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
    let mut bench = Bench::by_hand("a");
    let there = report(&["a"], None);
    assert_eq!(bench.progress(Some(&there)), AssignmentState::Created);
    bench.index.set_known(&id("a"), Some(free()));
    assert_eq!(bench.progress(Some(&there)), AssignmentState::Assigned);
    bench
        .index
        .set_known(&id("a"), Some(IdentityLookup::Absent));
    assert!(matches!(
        bench.progress(Some(&there)),
        AssignmentState::Failed(_)
    ));
}

#[test]
fn what_was_said_of_one_identity_opens_no_other() {
    let mut bench = Bench::by_hand("a");
    bench.said_assigned(id("a"));
    assert_eq!(
        bench.progress(None),
        AssignmentState::Assigned,
        "a restart stops nothing"
    );
    bench.said_assigned(id("another"));
    assert_eq!(
        bench.progress(None),
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
    let mut bench = Bench::new(&identity(id("a"), Origin::Profile, NetRaw::Ignore), &[]);
    let key = ObjectKey::new("apps", "web");
    bench.index.set_recorded(&key, Some(id("a")));
    let failed = AssignmentState::Failed(refusal("LinkedAuthorizationFailed"));
    bench.said_before(id("a"), failed.clone());
    let looked_at = report(&[], None);
    let again = report(&[], Some(Outlook::Doubtful));
    for report in [None, Some(&looked_at), Some(&again)] {
        assert_eq!(bench.progress(report), failed, "{report:?}");
        let rows = rows(bench.entry(), &assess(bench.entry(), report, &bench.said));
        let stage = Stage::Failed(refusal("LinkedAuthorizationFailed"));
        assert_eq!(
            rows[&key].stage, stage,
            "its profile is not ready meanwhile"
        );
    }
    let there = report(&["a"], None);
    assert_eq!(bench.progress(Some(&there)), AssignmentState::Assigned);
}

#[test]
fn nothing_is_said_against_an_identity_before_it_was_looked_up() {
    let mut bench = Bench::by_hand("a");
    let failed = AssignmentState::Failed(refusal("OwnedByProfile"));
    bench.said_before(id("a"), failed.clone());
    let said = |bench: &Bench| {
        let assessed = assess(bench.entry(), None, &bench.said);
        let warnings = warnings::warnings(bench.entry(), &assessed).into_iter();
        let warnings: Vec<_> = warnings
            .map(|warning| (warning.reason, warning.word))
            .collect();
        (assessed[0].state.clone(), warnings)
    };
    assert_eq!(said(&bench), (failed.clone(), vec![]), "a restart");
    let trouble = IdentityLookup::NotYet(refusal("Throttled"));
    bench.index.set_known(&id("a"), Some(trouble));
    let news = ("IdentityNotAssigned".to_owned(), "Throttled".to_owned());
    assert_eq!(said(&bench), (failed, vec![news]));
    bench
        .index
        .set_known(&id("a"), Some(IdentityLookup::Absent));
    let news = ("IdentityNotFound".to_owned(), "IdentityNotFound".to_owned());
    assert_eq!(said(&bench).1, [news]);
}

#[test]
fn what_podid_itself_refused_is_forgotten_as_soon_as_it_serves() {
    let mut bench = Bench::by_hand("a");
    bench.index.set_known(&id("a"), Some(free()));
    for reason in [
        "OwnedByProfile",
        "ClientIdMismatch",
        "IdentityNotFound",
        "IdentityNotReadable",
        "UnknownMachine",
    ] {
        bench.said_before(id("a"), AssignmentState::Failed(refusal(reason)));
        let looked_at = report(&[], None);
        assert_eq!(
            bench.progress(Some(&looked_at)),
            AssignmentState::Created,
            "{reason}"
        );
    }
}

#[test]
fn only_what_lasts_is_told_to_the_pod_as_failed() {
    let mut bench = Bench::by_hand("a");
    bench.index.set_known(&id("a"), Some(free()));
    for outlook in [Outlook::Passing, Outlook::Doubtful, Outlook::Lasting] {
        let report = report(&[], Some(outlook));
        let assessed = assess(bench.entry(), Some(&report), &bench.said);
        let failed = matches!(assessed[0].state, AssignmentState::Failed(_));
        assert_eq!(failed, outlook == Outlook::Lasting, "{outlook:?}");
        let trouble = assessed[0].trouble.as_ref();
        assert_eq!(trouble.map(|it| it.reason.as_str()), Some("Refused"));
    }
}

#[test]
fn a_node_that_is_no_machine_of_azure_is_told_at_once_and_a_new_one_is_waited_for() {
    let mut bench = Bench::by_hand("a");
    bench.index.set_known(&id("a"), Some(free()));
    let elsewhere = Target::from_provider_id("kind://elsewhere");
    bench.index.set_node("node", Some(elsewhere));
    let AssignmentState::Failed(failure) = bench.progress(None) else {
        panic!("it does not come by waiting");
    };
    assert_eq!(failure.reason, "UnknownMachine");
    assert!(failure.message.contains("node node"), "{}", failure.message);
    bench
        .index
        .set_node("node", Some(Target::from_provider_id("")));
    assert_eq!(bench.progress(None), AssignmentState::Created);
}

#[test]
fn only_pods_of_profiles_are_counted_and_those_that_break_the_rule_by_what_it_asks() {
    let keeps = [Breach::KeepsNetRaw("app".into())];
    let of = |net_raw| {
        let mut bench = Bench::new(&identity(id("a"), Origin::Profile, net_raw), &keeps);
        let key = ObjectKey::new("apps", "web");
        bench.index.set_recorded(&key, Some(id("a")));
        bench.stage()
    };
    let breaches = BTreeSet::from(keeps.clone());
    assert_eq!(of(NetRaw::Enforce).stage, Stage::Refused(breaches.clone()));
    assert_eq!(of(NetRaw::Audit).stage, Stage::Assigned);
    assert_eq!(of(NetRaw::Audit).audited, breaches);
    assert_eq!(of(NetRaw::Ignore).audited, BTreeSet::new());
    let by_hand = Bench::by_hand("a");
    assert!(rows(by_hand.entry(), &[]).is_empty());
}
