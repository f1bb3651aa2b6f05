use super::*;
use crate::profile::admit::admit;
use crate::profile::admit::tests::{class, profile};
use crate::profile::plan::plan;

fn desired() -> Desired {
    admit(&profile(), &class()).expect("admitted")
}

fn identity(desired: &Desired) -> ManagedIdentity {
    ManagedIdentity {
        id: desired.identity.id.clone(),
        location: "westeurope".into(),
        tags: desired.owner.tags(),
        client_id: "client".into(),
        principal_id: "principal".into(),
        tenant_id: "tenant".into(),
    }
}

fn recorded(name: &str) -> RecordedIdentity {
    RecordedIdentity {
        id: crate::testing::id(name),
        client_id: "old client".into(),
        principal_id: "old principal".into(),
        tenant_id: "tenant".into(),
        created: true,
    }
}

fn assignment(id: &str, created: bool) -> RecordedRoleAssignment {
    RecordedRoleAssignment {
        id: ArmId::new(id),
        role: "Reader".into(),
        scope: ArmId::new("/subscriptions/s"),
        principal_id: "principal".into(),
        created,
    }
}

/// A plan from nothing, and its progress after the identity was made.
fn begun() -> (Desired, Plan, PlanProgress) {
    let desired = desired();
    let plan = plan(&desired, &Observed::default()).expect("a plan");
    let mut progress = PlanProgress::begin(&plan, &Observed::default());
    progress.identity = Some(identity(&desired));
    (desired, plan, progress)
}

fn own_grant(plan: &Plan) -> RoleGrant {
    let mut grants = plan.steps.iter().filter_map(|step| match step {
        Step::GrantRole(grant) => Some(grant.clone()),
        _ => None,
    });
    grants.next().expect("a grant")
}

#[test]
fn grants_are_remembered_before_they_are_made_and_shared_ones_never() {
    let (desired, plan, mut progress) = begun();
    assert!(progress.expect_grants(&plan, &desired.owner));
    let shared = |step: &&Step| matches!(step, Step::GrantNodeRole(grant) if grant.description != desired.owner.marker());
    let grants = plan.steps.iter().filter(|step| {
        matches!(step, Step::GrantRole(_) | Step::GrantNodeRole(_)) && !shared(step)
    });
    assert_eq!(progress.role_assignments.len(), grants.count());
    assert_eq!(plan.steps.iter().filter(shared).count(), 1);
    assert!(
        !progress.expect_grants(&plan, &desired.owner),
        "a note that is there need not be written again"
    );
    assert!(progress.role_assignments.iter().all(|noted| noted.created));
}

#[test]
fn without_a_principal_there_is_no_assignment() {
    let (_, plan, mut progress) = begun();
    let grant = own_grant(&plan);
    let role = grant.role.id().expect("a built-in role");
    let wanted = progress.wanted(&grant, role).expect("a principal");
    assert_eq!(wanted.principal_id, "principal");
    assert!(
        wanted.id.as_str().starts_with(grant.scope.as_str()),
        "{wanted:?}"
    );
    progress.identity = None;
    assert_eq!(progress.wanted(&grant, role), None);
}

#[test]
fn what_was_made_stays_remembered_until_it_is_revoked() {
    let observed = Observed {
        record: ProfileRecord {
            role_assignments: vec![assignment("/a", true), assignment("/b", false)],
            ..ProfileRecord::default()
        },
        ..Observed::default()
    };
    let mut progress = PlanProgress::begin(&Plan::default(), &observed);
    assert_eq!(progress.role_assignments, [assignment("/a", true)]);
    progress.revoked(&ArmId::new("/A"));
    assert!(progress.role_assignments.is_empty());

    let held = Plan {
        held: vec![assignment("/a", false)],
        ..Plan::default()
    };
    let progress = PlanProgress::begin(&held, &observed);
    assert_eq!(progress.role_assignments, [assignment("/a", false)], "once");
}

#[test]
fn an_equal_assignment_is_adopted_as_somebody_elses_without_our_marks() {
    let (desired, plan, mut progress) = begun();
    let grant = own_grant(&plan);
    let role = grant.role.id().expect("a built-in role");
    let wanted = progress.wanted(&grant, role).expect("a principal");
    let listed = |name: &str, scope: &ArmId, role, description: Option<String>| RoleAssignment {
        id: ArmId::new(format!("{scope}/providers/{ROLE_ASSIGNMENT_TYPE}/{name}")),
        scope: scope.clone(),
        role,
        principal_id: wanted.principal_id.clone(),
        description,
    };
    let record = ProfileRecord::default();
    let find = |listed: &[RoleAssignment]| {
        equal_assignment(listed, &wanted, role, &desired.owner, &record)
    };
    let elsewhere = listed("x", &ArmId::new("/subscriptions/s"), role, None);
    let another = listed("x", &grant.scope, Uuid::nil(), None);
    assert_eq!(find(&[elsewhere.clone(), another.clone()]), None);

    let by_hand = listed("by-hand", &grant.scope, role, None);
    let found = find(&[elsewhere, another, by_hand.clone()]).expect("an equal one");
    assert_eq!((&found.id, found.created), (&by_hand.id, false));

    let ours = listed(
        wanted.id.name(),
        &grant.scope,
        role,
        Some(desired.owner.marker()),
    );
    let found = find(&[ours]).expect("an equal one");
    assert!(found.created);

    progress.expect_grants(&plan, &desired.owner);
    let before = progress.role_assignments.len();
    progress.granted(
        &grant,
        &desired.owner,
        &wanted,
        assignment("/by-hand", false),
    );
    assert_eq!(progress.role_assignments.len(), before);
    assert!(
        !progress
            .role_assignments
            .iter()
            .any(|noted| noted.id == wanted.id)
    );
}

#[test]
fn a_shared_grant_is_not_remembered_with_a_profile() {
    let (desired, plan, mut progress) = begun();
    let shared = RoleGrant {
        description: desired.owner.cluster_marker(),
        ..own_grant(&plan)
    };
    let made = assignment("/made", true);
    progress.granted(&shared, &desired.owner, &made, made.clone());
    assert!(progress.role_assignments.is_empty());
}

#[test]
fn the_former_identity_is_remembered_until_the_plan_is_finished() {
    let (desired, _, mut progress) = begun();
    let before = ProfileRecord {
        identity: Some(recorded("old")),
        ..ProfileRecord::default()
    };
    progress.role_assignments = vec![assignment("/b", true), assignment("/a", true)];
    let unfinished = progress.record(&desired, &before, false);
    assert_eq!(unfinished.identity, before.identity);
    let ids: Vec<&str> = unfinished
        .role_assignments
        .iter()
        .map(|a| a.id.as_str())
        .collect();
    assert_eq!(ids, ["/a", "/b"]);

    let finished = progress
        .record(&desired, &before, true)
        .identity
        .expect("one");
    assert_eq!(
        (&finished.id, finished.created),
        (&desired.identity.id, true)
    );
    let first = progress.record(&desired, &ProfileRecord::default(), false);
    assert_eq!(
        first.identity.as_ref(),
        Some(&finished),
        "there is no former one"
    );

    progress.identity = None;
    let unknown = progress.record(&desired, &before, true);
    assert_eq!(unknown.identity, before.identity, "nothing is forgotten");
}

#[test]
fn an_identity_is_remembered_from_before_its_creation_until_it_is_recorded() {
    let (desired, plan, progress) = begun();
    let (new, nothing) = (&desired.identity.id, ProfileRecord::default());
    let of_other = ProfileRecord {
        identity: Some(recorded("old")),
        ..nothing.clone()
    };
    let creating = |record: ProfileRecord| Vec::from_iter(record.creating);
    let only_new = std::slice::from_ref(new);
    assert_eq!(creating(record_before(&plan, &nothing)), only_new);
    let recorded_now = progress.record(&desired, &nothing, false);
    assert_eq!(creating(recorded_now.clone()), []);
    assert_eq!(
        creating(record_before(&plan, &recorded_now)),
        [],
        "made anew"
    );
    let not_recorded = progress.record(&desired, &of_other, false);
    assert_eq!(creating(not_recorded), only_new);
    assert_eq!(creating(progress.record(&desired, &of_other, true)), []);
}

#[test]
fn an_identity_that_is_not_ours_is_recorded_as_adopted() {
    let (desired, _, mut progress) = begun();
    progress.identity = Some(ManagedIdentity {
        tags: Default::default(),
        ..identity(&desired)
    });
    let record = progress.record(&desired, &ProfileRecord::default(), true);
    assert!(!record.identity.expect("one").created);
}

#[test]
fn the_azure_identity_says_what_azure_gave() {
    let (desired, _, mut progress) = begun();
    let former = [(crate::testing::id("former"), "old client".to_owned())].into();
    let id = &desired.identity.id;
    let object = progress.azure_identity_fields(id, Some("planned"), None, NetRaw::Audit, &former);
    assert_eq!(object.client_id, "client");
    assert_eq!(object.principal_id.as_deref(), Some("principal"));
    assert!(object.namespaced && object.net_raw == NetRaw::Audit);
    assert_eq!(object.former, former);
    progress.identity = None;
    let object =
        progress.azure_identity_fields(id, Some("planned"), Some("p"), NetRaw::Audit, &former);
    assert_eq!(object.client_id, "planned");
    assert_eq!(object.principal_id.as_deref(), Some("p"));
}
