//! What the operator would do for one profile, by the operator's own decision, with what had to be
//! assumed because Azure is not asked.

use std::collections::BTreeSet;

use podid_core::class::{Class, OperatorEnvironment, Usability, Violation};
use podid_core::profile::admit::admit;
use podid_core::profile::decide::{NextAction, Precheck, PrecheckInput, next_action, precheck};
use podid_core::profile::desired::Desired;
use podid_core::profile::expected;
use podid_core::profile::observed::{
    Observed, ProfileRecord, RecordedRoleAssignment, RoleAssignment,
};
use podid_core::profile::plan::{Deletion, Plan, Step, plan_deletion, plan_withdrawal};
use podid_core::profile::shared_roles::unneeded_roles;
use podid_core::profile::withdrawal::Withdrawal;
use podid_core::profile::{CreationPolicy, DeletionPolicy, Drift, Profile};
use podid_core::right::{Right, RightsChange, rights};
use podid_core::role::Role;

use super::notes::notes;
use super::profile_plan::{Change, NotApplied, Pods, ProfilePlan, RightsReport};

/// What is taken to be there before the plan.
#[derive(Clone, Copy, Default)]
pub(super) struct Before<'a> {
    /// The profile as it was; `None` for a new one.
    pub(super) profile: Option<EarlierProfile<'a>>,
    /// Roles that other profiles have brought and that serve all of the cluster.
    pub(super) shared: &'a [RoleAssignment],
}

/// A profile of an earlier version.
#[derive(Clone, Copy)]
pub(super) struct EarlierProfile<'a> {
    pub(super) profile: &'a Profile,
    pub(super) class: Option<&'a Class>,
    /// What its status in the cluster records; `None` for one of files.
    pub(super) record: Option<&'a ProfileRecord>,
    /// What the version is called.
    pub(super) version: &'a str,
}

impl EarlierProfile<'_> {
    /// Its desired state, if its class admits it.
    fn desired(&self) -> Option<Desired> {
        desired(self.profile, self.class)
    }

    /// What is taken to be in Azure.
    fn assumption(&self) -> String {
        match self.record {
            Some(_) => "Azure holds what the status of the profile records".to_owned(),
            None => format!("Azure holds what {} asks for", self.version),
        }
    }

    /// What was made for it as `made`, for a plan for `new`.
    fn observed(&self, made: &Desired, new: Option<&Desired>) -> Observed {
        match self.record {
            Some(record) => expected::observed_as_recorded(made, record.clone(), new),
            None => expected::observed_after(made, new),
        }
    }

    /// What its status records, or would if all was made that it asks for.
    fn made(&self) -> ProfileRecord {
        let expected = || {
            let desired = self.desired().filter(|_| self.is_held());
            desired.map(|desired| expected::observed_after(&desired, None).record)
        };
        let made = self.record.cloned().or_else(expected);
        made.unwrap_or_default()
    }

    /// Whether podid has acted on it, or may have. Nobody knows of a file that suspends it or has it only observed.
    fn is_held(&self) -> bool {
        let acts = !self.profile.suspend && self.profile.drift == Drift::Enforce;
        self.record.is_some() || acts
    }

    /// The rights that it has, of those that `made` asks for.
    fn rights(&self, made: &Desired) -> BTreeSet<Right> {
        let mut had = rights(made);
        if let Some(record) = self.record {
            let recorded = &record.role_assignments;
            had.retain(|right| {
                let is_it = |it: &RecordedRoleAssignment| {
                    Role::parse(&it.role).is(&right.role) && it.scope == right.scope
                };
                recorded.iter().any(is_it)
            });
        }
        had
    }
}

/// The desired state of a profile that its class admits.
pub(super) fn desired(profile: &Profile, class: Option<&Class>) -> Option<Desired> {
    class.and_then(|class| admit(profile, class).ok())
}

/// Plans a profile. Where only the operator could know (its cloud and tenant, and whether Azure has confirmed
/// the class), the decision gets the value for "not read".
pub(super) fn assess(profile: &Profile, class: &Class, before: Before<'_>) -> ProfilePlan {
    let operator = OperatorEnvironment::default();
    let mut planned = ProfilePlan::new(profile, &class.name);
    planned.class_violations = placeless(operator.violations(class));
    let made = before.profile.map(|old| old.made()).unwrap_or_default();
    let decision = precheck(PrecheckInput {
        profile,
        class: Some(class),
        usability: &Usability::Assumed,
        operator: &operator,
        is_reported: false,
        record: &made,
    });
    let mut violations = Vec::new();
    match decision {
        Precheck::Suspended => {
            planned.not_applied = Some(NotApplied::Suspended);
            planned.plan = Some(Plan::default());
        }
        Precheck::InvalidSpec(violation) => violations = vec![violation],
        Precheck::ClassInvalid { not_allowed, .. } => violations = not_allowed,
        Precheck::NotAllowed(found) => violations = found,
        Precheck::Withdrawn(withdrawal) => {
            let old = before.profile.map_or(profile, |old| old.profile);
            withdraw(&withdrawal, old, made.clone(), &mut planned);
            violations = withdrawal.violations;
        }
        Precheck::Admitted(desired) => against_assumed(&desired, before, &mut planned),
        // These follow from a missing class or from Azure's word about one, and neither is given here.
        Precheck::ClassMissing { .. }
        | Precheck::ClassUnusable { .. }
        | Precheck::ClassUnknown { .. }
        | Precheck::KeepStatus => {}
    }
    planned.notes = notes(profile, class, &violations);
    planned.violations = placeless(violations);
    planned.change = match before.profile {
        None => Change::Added,
        Some(old) if is_same(old.profile, profile) && !planned.has_changes() => Change::Unchanged,
        Some(_) => Change::Changed,
    };
    if let Some(old) = before.profile {
        planned.pods_before = Some(Pods::of(old.profile)).filter(|pods| *pods != planned.pods);
        planned.recorded = old.record.cloned();
    }
    planned
}

/// Whether two profiles ask for the same. Labels of the namespace are none of theirs.
fn is_same(old: &Profile, new: &Profile) -> bool {
    let old = Profile {
        namespace_labels: new.namespace_labels.clone(),
        ..old.clone()
    };
    old == *new
}

fn placeless(violations: Vec<Violation>) -> Vec<super::profile_plan::PlacedViolation> {
    violations.into_iter().map(Into::into).collect()
}

fn against_assumed(desired: &Desired, before: Before<'_>, planned: &mut ProfilePlan) {
    let held = before.profile.filter(EarlierProfile::is_held);
    let old = held.and_then(|earlier| {
        // What is recorded was made, though the class no longer admits it.
        let recorded = earlier.record.and_then(|record| record.identity.as_ref());
        let made = earlier.desired();
        let made = made.or_else(|| recorded.map(|_| desired.clone()));
        Some((earlier, made?))
    });
    let (observed, assumptions) = match &old {
        Some((earlier, made)) => since(earlier, made, desired),
        None => assumed(desired, before),
    };
    let mut assumptions = assumptions;
    if before.profile.is_some() && held.is_none() {
        assumptions.push(
            "podid did not act on the older version, which was suspended or only observed"
                .to_owned(),
        );
    }
    planned.assumptions = assumptions;
    let made = old.iter().map(|(_, made)| made);
    let known: Vec<&Desired> = made.chain([desired]).collect();
    let named = |plan| expected::with_role_names(plan, &known);
    let plan = match next_action(desired, &observed) {
        NextAction::Refuse(refusals) => {
            planned.refusals = refusals;
            return;
        }
        NextAction::Report(plan) => {
            planned.not_applied = Some(NotApplied::Observed);
            named(plan)
        }
        NextAction::Apply(plan) => named(plan),
    };
    let had = old.as_ref().map(|(earlier, made)| earlier.rights(made));
    let had = had.unwrap_or_default();
    if planned.not_applied.is_none() {
        planned.rights = RightsReport::new(&RightsChange::between(&had, &rights(desired)));
    }
    planned.changes = plan.sentences();
    planned.plan = Some(plan);
}

/// Plans what the class takes away of what was made for the profile as it was.
fn withdraw(
    withdrawal: &Withdrawal,
    old: &Profile,
    made: ProfileRecord,
    planned: &mut ProfilePlan,
) {
    let had = recorded_rights(&made);
    let plan = plan_withdrawal(withdrawal, &expected::observed_by_record(old, made));
    let kept = had.iter().filter(|right| !is_revoked(right, &plan));
    let change = RightsChange::between(&had, &kept.cloned().collect());
    planned.rights = RightsReport::new(&change);
    planned.changes = plan.sentences();
    planned.withdrawal = Some(plan);
}

/// The rights that podid has given a profile's identity.
fn recorded_rights(made: &ProfileRecord) -> BTreeSet<Right> {
    let own = made.identity.as_ref().map(|it| &it.principal_id);
    let own = made
        .role_assignments
        .iter()
        .filter(|assignment| Some(&assignment.principal_id) == own);
    own.map(|assignment| Right {
        role: Role::parse(&assignment.role),
        scope: assignment.scope.clone(),
    })
    .collect()
}

fn is_revoked(right: &Right, plan: &Plan) -> bool {
    plan.steps.iter().any(|step| {
        matches!(step, Step::RevokeRole { role, scope, .. } if role.is(&right.role) && *scope == right.scope)
    })
}

/// Plans the deletion of a profile whose file is gone; `left` are the classes of those that are left.
pub(super) fn assess_deleted(old: &EarlierProfile<'_>, left: &[Option<Class>]) -> ProfilePlan {
    let mut planned = ProfilePlan::new(old.profile, &old.profile.class_name);
    planned.change = Change::Deleted;
    planned.pods_before = Some(planned.pods.clone());
    planned.recorded = old.record.cloned();
    let Some(desired) = old.desired() else {
        planned.assumptions.push(undesired(old));
        planned.plan = Some(Plan::default());
        return planned;
    };
    planned.assumptions.push(old.assumption());
    let deletion = Deletion {
        owner: desired.owner.clone(),
        policy: desired.deletion_policy,
    };
    let plan = plan_deletion(&deletion, &old.observed(&desired, None));
    let plan = expected::with_role_names(plan, &[&desired]);
    let change = RightsChange::between(&old.rights(&desired), &BTreeSet::new());
    planned.rights = RightsReport::new(&change);
    match desired.deletion_policy {
        DeletionPolicy::Retain => planned.notes.push(
            "spec.identity.deletionPolicy is Retain: the pods lose these rights, and the identity keeps them"
                .to_owned(),
        ),
        DeletionPolicy::Delete => planned.notes.extend(with_the_last(old, left)),
    }
    planned.changes = plan.sentences();
    planned.plan = Some(plan);
    planned
}

/// What goes with a profile if it is the last: the files may not hold every profile of the cluster.
fn with_the_last(old: &EarlierProfile<'_>, left: &[Option<Class>]) -> Vec<String> {
    let unneeded = old.class.map(|class| unneeded_roles(class, left));
    let words = unneeded.into_iter().flatten().map(|grant| {
        format!(
            "podid also revokes {} on {} from the kubelet identity, if it granted that and no other profile of the \
             cluster needs it",
            grant.role, grant.scope
        )
    });
    words.collect()
}

/// Why the deletion of a profile that no class admits has no steps.
fn undesired(old: &EarlierProfile<'_>) -> String {
    let version = old.version;
    let recorded = old.record.and_then(|record| record.identity.as_ref());
    match recorded {
        Some(identity) => format!(
            "podid takes away what it has made for it: {version} has no class that allows it, so the steps are \
             not known; its status names identity {}",
            identity.id
        ),
        None => format!("{version} has no class that allows it, so nothing of it was made"),
    }
}

/// What an earlier version of the profile has made.
fn since(earlier: &EarlierProfile<'_>, made: &Desired, new: &Desired) -> (Observed, Vec<String>) {
    let mut observed = earlier.observed(made, Some(new));
    let mut assumptions = vec![earlier.assumption()];
    if observed.identity.is_none() && new.identity.creation == CreationPolicy::Adopt {
        observed.identity = Some(expected::identity(new));
        assumptions.push(adopted(new));
    }
    (observed, assumptions)
}

/// An Azure that holds nothing of the profile but what it takes for granted.
fn assumed(desired: &Desired, before: Before<'_>) -> (Observed, Vec<String>) {
    let mut observed = Observed {
        role_assignments: before.shared.to_vec(),
        ..Observed::default()
    };
    let mut assumptions = vec!["Azure holds nothing of this profile yet".to_owned()];
    if desired.identity.creation == CreationPolicy::Adopt {
        observed.identity = Some(expected::identity(desired));
        assumptions.push(adopted(desired));
    }
    for grant in &desired.grants {
        if let Role::Named(name) = &grant.role {
            assumptions.push(format!("there is a role {name:?} at {}", grant.scope));
        }
    }
    (observed, assumptions)
}

fn adopted(desired: &Desired) -> String {
    let id = &desired.identity.id;
    format!("identity {} exists, in the class's tenant", id.name())
}
