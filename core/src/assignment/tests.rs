use proptest::collection::btree_set;
use proptest::prelude::*;

use super::*;
use crate::binding::Origin;
use crate::profile::NetRaw;

fn id(name: &str) -> ArmId {
    ArmId::new(format!(
        "/subscriptions/s/resourceGroups/g/providers/{}/{name}",
        crate::arm::IDENTITY_TYPE
    ))
}

fn ids(names: &[&str]) -> BTreeSet<ArmId> {
    names.iter().map(|name| id(name)).collect()
}

fn some_ids() -> impl Strategy<Value = BTreeSet<ArmId>> {
    btree_set("[a-hA-H]".prop_map(|name| id(&name)), 0..8)
}

/// What Azure does with a plan.
fn applied(on_machine: &BTreeSet<ArmId>, plan: &TargetPlan) -> BTreeSet<ArmId> {
    on_machine
        .difference(&plan.remove)
        .chain(&plan.add)
        .cloned()
        .collect()
}

proptest! {
    #[test]
    fn a_plan_that_was_applied_leaves_nothing_to_do(
        desired in some_ids(), before in some_ids(), ledger in some_ids(), fixed in some_ids(),
    ) {
        let ledger = Ledger(ledger);
        let plan = plan_target(&desired, &before, &ledger, &fixed);
        let after = applied(&before, &plan);
        let ledger = ledger.ahead_of(&plan).settled(&after);
        prop_assert!(desired.is_subset(&after));
        prop_assert!(plan_target(&desired, &after, &ledger, &fixed).is_empty());
    }

    #[test]
    fn what_is_foreign_or_immutable_stays(
        desired in some_ids(), before in some_ids(), ledger in some_ids(), fixed in some_ids(),
    ) {
        let plan = plan_target(&desired, &before, &Ledger(ledger.clone()), &fixed);
        prop_assert!(plan.remove.is_subset(&ledger));
        prop_assert!(plan.remove.is_subset(&before), "removing what is absent is no change");
        prop_assert!(plan.remove.is_disjoint(&fixed));
        prop_assert!(plan.remove.is_disjoint(&desired));
        prop_assert!(plan.add.is_disjoint(&before));
    }

    #[test]
    fn a_machine_whose_pods_are_gone_is_as_it_was(desired in some_ids(), before in some_ids()) {
        let none = BTreeSet::new();
        let there = plan_target(&desired, &before, &Ledger::default(), &none);
        let ledger = Ledger::default().ahead_of(&there);
        let during = applied(&before, &there);
        let back = plan_target(&none, &during, &ledger, &none);
        let after = applied(&during, &back);
        prop_assert_eq!(&after, &before);
        prop_assert_eq!(ledger.settled(&after), Ledger::default());
    }

    #[test]
    fn letter_case_is_no_change(desired in some_ids(), ledger in some_ids()) {
        let upper = |ids: &BTreeSet<ArmId>| -> BTreeSet<ArmId> {
            ids.iter().map(|id| ArmId::new(id.as_str().to_uppercase())).collect()
        };
        let plan = plan_target(&desired, &upper(&desired), &Ledger(upper(&ledger)), &ids(&[]));
        prop_assert!(plan.is_empty(), "{}", plan);
    }

    #[test]
    fn parts_are_small_and_come_to_the_whole(
        desired in some_ids(), before in some_ids(), ledger in some_ids(), max in 1_usize..6,
    ) {
        let plan = plan_target(&desired, &before, &Ledger(ledger), &ids(&[]));
        let mut whole = TargetPlan::default();
        for part in plan.chunks(max) {
            prop_assert!((1..=max).contains(&part.len()));
            whole.add.extend(part.add);
            whole.remove.extend(part.remove);
        }
        prop_assert_eq!(whole, plan);
    }
}

#[test]
fn a_crash_after_the_record_leaks_nothing() {
    // Recorded, put on the machine, killed; meanwhile the pod went away.
    let plan = plan_target(&ids(&["a"]), &ids(&[]), &Ledger::default(), &ids(&[]));
    let ledger = Ledger::default().ahead_of(&plan);
    let release = plan_target(&ids(&[]), &ids(&["A", "foreign"]), &ledger, &ids(&[]));
    assert_eq!(release.remove, ids(&["a"]));
}

#[test]
fn a_plan_prints_in_a_line() {
    let plan = TargetPlan {
        add: ids(&["web", "db"]),
        remove: ids(&["old"]),
    };
    assert_eq!(plan.to_string(), "+db +web -old");
    assert_eq!(TargetPlan::default().to_string(), "nothing to change");
}

#[test]
fn done_pods_and_unplaced_pods_hold_nothing() {
    let table = [
        (Some("s"), Some("n"), Some("Running"), true),
        (Some("s"), Some("n"), Some("Pending"), true),
        (Some("s"), Some("n"), None, true),
        (Some("s"), Some("n"), Some("Unknown"), true),
        (Some("s"), Some("n"), Some("Succeeded"), false),
        (Some("s"), Some("n"), Some("Failed"), false),
        (Some("s"), None, Some("Pending"), false),
        (Some("s"), Some(""), Some("Pending"), false),
        (Some(""), Some("n"), Some("Running"), false),
        (None, Some("n"), Some("Running"), false),
    ];
    for (selector, node, phase, holds) in table {
        assert_eq!(
            holds_identities(selector, node, phase),
            holds,
            "{selector:?} {node:?} {phase:?}"
        );
    }
}

fn pod() -> Pod {
    Pod {
        namespace: "apps".into(),
        name: "web-0".into(),
        uid: "u1".into(),
        selector: Some("web".into()),
        service_account: "default".into(),
        breaches: BTreeSet::new(),
    }
}

fn identity(name: &str, kind: IdentityKind, resource_id: ArmId) -> Identity {
    Identity {
        namespace: "apps".into(),
        name: name.into(),
        kind,
        client_id: "c".into(),
        resource_id,
        principal_id: None,
        namespaced: false,
        origin: Origin::HandWritten,
        net_raw: NetRaw::Ignore,
    }
}

fn binding(name: &str, identity: &str) -> Binding {
    Binding {
        namespace: "apps".into(),
        name: name.into(),
        identity: identity.into(),
        selector: "web".into(),
        service_accounts: BTreeSet::new(),
        origin: Origin::HandWritten,
    }
}

#[test]
fn only_managed_identities_with_an_id_are_assigned() {
    let identities = [
        identity("managed", IdentityKind::Managed, id("managed")),
        identity(
            "secret",
            IdentityKind::ServicePrincipalSecret,
            ArmId::new(""),
        ),
        identity("odd", IdentityKind::Managed, ArmId::new("/subscriptions/s")),
        identity("blank", IdentityKind::Managed, id("two words")),
        identity("query", IdentityKind::Managed, id("x?y")),
    ];
    let bindings = [
        binding("z", "managed"),
        binding("b", "managed"),
        binding("c", "secret"),
        binding("d", "odd"),
        binding("e", "blank"),
        binding("f", "query"),
    ];
    let got = assignments_of(&pod(), &bindings, &identities, Reach::Cluster);
    let wanted: Vec<_> = got
        .wanted
        .iter()
        .map(|a| (a.identity.name.as_str(), a.binding.name.as_str()))
        .collect();
    assert_eq!(
        wanted,
        [("managed", "b")],
        "the first binding by name is the one recorded"
    );
    let mut malformed: Vec<_> = got.malformed.iter().map(|it| it.name.as_str()).collect();
    malformed.sort_unstable();
    assert_eq!(malformed, ["blank", "odd", "query"]);
}

#[test]
fn what_was_assigned_stays_so_until_azure_says_otherwise() {
    use Progress::{Assigned, Created};
    let (on, off) = (ids(&["A"]), ids(&[]));
    let a = id("a");
    assert_eq!(progress(&a, None, None, None), Created);
    assert_eq!(progress(&a, None, None, Some(Assigned)), Assigned);
    assert_eq!(progress(&a, Some(&off), None, Some(Assigned)), Created);
    assert_eq!(progress(&a, Some(&on), None, None), Assigned);
    let failure = AssignmentFailure {
        reason: "AuthorizationFailed".into(),
        message: "the machine cannot be read".into(),
    };
    let unread = progress(&a, None, Some(&failure), Some(Assigned));
    assert_eq!(
        unread, Assigned,
        "a machine that cannot be read says nothing"
    );
    assert_eq!(
        progress(&a, Some(&off), Some(&failure), Some(Assigned)),
        Progress::Failed(failure)
    );
}

#[test]
fn what_may_not_be_served_is_not_served_because_the_machine_carries_it() {
    use Progress::{Assigned, Created, Failed};
    let failure = AssignmentFailure {
        reason: "OwnedByProfile".into(),
        message: "not yours".into(),
    };
    let table = [
        (Standing::Served, Some(Assigned), None),
        (Standing::Unchecked(None), None, Some(Created)),
        (Standing::Unchecked(None), Some(Assigned), Some(Assigned)),
        (
            Standing::Unchecked(None),
            Some(Failed(failure.clone())),
            Some(Failed(failure.clone())),
        ),
        (
            Standing::Refused(failure.clone()),
            Some(Assigned),
            Some(Failed(failure)),
        ),
    ];
    for (standing, before, expected) in table {
        assert_eq!(
            progress_unserved(&standing, before),
            expected,
            "{standing:?}"
        );
    }
}

#[test]
fn a_pod_on_the_nodes_network_is_refused_whoever_binds_it() {
    let (identities, bindings) = (
        [identity("managed", IdentityKind::Managed, id("managed"))],
        [binding("a", "managed")],
    );
    let of = |breaches: &[Breach]| {
        let pod = Pod {
            breaches: breaches.iter().cloned().collect(),
            ..pod()
        };
        assignments_of(&pod, &bindings, &identities, Reach::Cluster)
    };
    let keeps = Breach::KeepsNetRaw("app".into());
    assert_eq!(
        of(std::slice::from_ref(&keeps)).refused,
        None,
        "nobody asks it to drop NET_RAW"
    );
    let refused = of(&[Breach::HostNetwork, keeps]).refused.expect("refused");
    assert_eq!(refused.breaches, [Breach::HostNetwork].into());
    assert_eq!(refused.reason(), "HostNamespaceUsed");
    let message = refused.message();
    assert!(
        message.starts_with("in the pod's template, remove hostNetwork, "),
        "{message}"
    );
    assert_eq!(of(&[]).wanted.len(), 1);
}

#[test]
fn a_refused_pod_is_told_which_containers_and_what_to_write() {
    let refused = RefusedPod {
        breaches: [
            Breach::KeepsNetRaw("app".into()),
            Breach::Adds("app".into(), "SYS_ADMIN".into()),
            Breach::Privileged("side".into()),
            Breach::HostPid,
        ]
        .into(),
        identities: Vec::new(),
    };
    assert_eq!(refused.reason(), "NetRawNotDropped");
    assert_eq!(
        refused.message(),
        "in the pod's template, add securityContext: {capabilities: {drop: [NET_RAW]}} to each \
         container named; remove what is named from securityContext.capabilities.add; remove \
         securityContext.privileged; remove hostPID, and recreate the pod; it gets no identity, \
         because the pod sets hostPID: true, container app does not drop NET_RAW, container app adds \
         SYS_ADMIN, container side is privileged"
    );
}

#[test]
fn a_refused_assignment_has_failed_unless_azure_shows_it() {
    let failure = AssignmentFailure {
        reason: "LinkedAuthorizationFailed".into(),
        message: "grant the right".into(),
    };
    let failed = Progress::Failed(failure.clone());
    let (on, off) = (ids(&["A"]), ids(&[]));
    let progress =
        |on_machine, failure| progress(&id("a"), on_machine, failure, Some(failed.clone()));
    assert_eq!(progress(Some(&off), Some(&failure)), failed);
    assert_eq!(progress(None, Some(&failure)), failed);
    assert_eq!(progress(Some(&on), Some(&failure)), Progress::Assigned);
    assert_eq!(
        progress(Some(&off), None),
        failed,
        "a restart forgets the refusal, and Azure has not said yes"
    );
    assert_eq!(progress(None, None), failed, "nothing new is known");
    let anew = AssignmentFailure {
        reason: "RequestDisallowedByPolicy".into(),
        message: "ask for an exemption".into(),
    };
    assert_eq!(progress(Some(&off), Some(&anew)), Progress::Failed(anew));
}

#[test]
fn a_pod_that_breaks_the_rule_of_its_profile_is_refused_everything() {
    let strict = Identity {
        net_raw: NetRaw::Enforce,
        ..identity("strict", IdentityKind::Managed, id("strict"))
    };
    let other = identity("other", IdentityKind::Managed, id("other"));
    let (identities, bindings) = (
        [strict.clone(), other.clone()],
        [binding("a", "strict"), binding("b", "other")],
    );
    let of = |pod: &Pod| assignments_of(pod, &bindings, &identities, Reach::Cluster);
    assert_eq!(of(&pod()).wanted.len(), 2);
    let breaches: BTreeSet<_> = [Breach::KeepsNetRaw("app".into())].into();
    let broken = of(&Pod {
        breaches: breaches.clone(),
        ..pod()
    });
    assert_eq!(broken.wanted, []);
    let identities = vec![other, strict];
    assert_eq!(
        broken.refused,
        Some(RefusedPod {
            breaches,
            identities
        })
    );
}

#[test]
fn what_to_do_about_a_pod_of_many_containers_still_fits_an_event() {
    let keeps = |number| Breach::KeepsNetRaw(format!("{number:063}"));
    let refused = RefusedPod {
        breaches: (0..50).map(keeps).chain([Breach::HostNetwork]).collect(),
        identities: Vec::new(),
    };
    let message = refused.message();
    let remedy = message.find("it gets no identity").expect("the reason why");
    assert!(remedy < 800, "{remedy}: {message}");
}

#[test]
fn a_binding_without_its_identity_is_named() {
    let got = assignments_of(&pod(), &[binding("a", "gone")], &[], Reach::Cluster);
    assert_eq!(got.dangling, [binding("a", "gone")]);
    assert_eq!(got.wanted, []);
}

#[test]
fn objects_are_written_when_they_differ_and_deleted_when_unwanted() {
    let assignment = Assignment {
        identity: identity("managed", IdentityKind::Managed, id("managed")),
        binding: binding("b", "managed"),
    };
    let objects = |progress: Progress| {
        assigned_identities(&pod(), "n1", std::slice::from_ref(&assignment), |_, _| {
            progress.clone()
        })
    };
    let (created, assigned) = (objects(Progress::Created), objects(Progress::Assigned));
    let observed = |objects: &BTreeMap<String, AssignedIdentity>| -> BTreeMap<_, _> {
        objects
            .iter()
            .map(|(name, object)| (name.clone(), Some(object.clone())))
            .collect()
    };

    assert_eq!(plan_objects(&created, &BTreeMap::new()).apply, created);
    assert_eq!(plan_objects(&assigned, &observed(&created)).apply, assigned);
    assert_eq!(
        plan_objects(&assigned, &observed(&assigned)),
        ObjectsPlan::default()
    );
    let unreadable = assigned.keys().map(|name| (name.clone(), None)).collect();
    assert_eq!(plan_objects(&assigned, &unreadable).apply, assigned);
    let gone = plan_objects(&BTreeMap::new(), &observed(&assigned));
    assert_eq!(
        gone.delete.into_iter().collect::<Vec<_>>(),
        assigned.into_keys().collect::<Vec<_>>()
    );
}
