//! What the operator would do for one profile, by the operator's own decision, with what had to be
//! assumed because Azure is not asked.

use std::collections::BTreeMap;

use podid_core::class::{Class, OperatorEnvironment, Usability, Violation};
use podid_core::profile::decide::{NextAction, Precheck, PrecheckInput, next_action, precheck};
use podid_core::profile::desired::Desired;
use podid_core::profile::observed::{ManagedIdentity, Observed};
use podid_core::profile::plan::{Plan, PlanRefusal};
use podid_core::profile::{CreationPolicy, Profile};
use podid_core::role::Role;
use serde::Serialize;

use super::notes::notes;

/// Placeholder for an id that only Azure knows.
const UNSEEN: &str = "that Azure knows";

/// What the operator would do for one profile.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProfilePlan {
    pub(super) namespace: String,
    pub(super) profile: String,
    pub(super) class: String,
    /// Why the class itself cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) class_violations: Vec<Violation>,
    /// What the class does not allow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) violations: Vec<Violation>,
    /// What podid would not do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) refusals: Vec<PlanRefusal>,
    /// What podid would do, in words.
    pub(super) changes: Vec<String>,
    /// The same for programs; absent when anything above stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<Plan>,
    /// What was taken for granted.
    pub(super) assumptions: Vec<String>,
    /// What the author should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    /// Why podid would not act on the plan by itself.
    #[serde(rename = "held", skip_serializing_if = "Option::is_none")]
    pub(super) not_applied: Option<NotApplied>,
}

/// What in the profile keeps podid from acting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum NotApplied {
    /// `spec.suspend`: nothing is looked at.
    Suspended,
    /// `spec.drift: Observe`: changes are reported and left to a person.
    Observed,
}

impl NotApplied {
    pub(super) fn explain(self) -> &'static str {
        match self {
            Self::Suspended => "spec.suspend is true: podid does nothing until that is taken back",
            Self::Observed => {
                "spec.drift is Observe: podid only reports these changes, and the profile would \
                 be Stalled (DriftDetected) until they are made or drift is Enforce"
            }
        }
    }
}

impl ProfilePlan {
    pub(super) fn is_refused(&self) -> bool {
        self.plan.is_none()
    }

    pub(super) fn has_changes(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| !plan.is_empty())
    }
}

/// Plans a profile against an empty Azure. Where only the operator could know (its cloud and tenant,
/// and whether Azure has confirmed the class), the decision gets the value for "not read".
pub(super) fn assess(profile: &Profile, class: &Class) -> ProfilePlan {
    let operator = OperatorEnvironment::default();
    let mut planned = ProfilePlan {
        namespace: profile.namespace.clone(),
        profile: profile.name.clone(),
        class: class.name.clone(),
        class_violations: operator.violations(class),
        violations: Vec::new(),
        refusals: Vec::new(),
        changes: Vec::new(),
        plan: None,
        assumptions: Vec::new(),
        notes: Vec::new(),
        not_applied: None,
    };
    let decision = precheck(PrecheckInput {
        profile,
        class: Some(class),
        usability: &Usability::Assumed,
        operator: &operator,
        is_reported: false,
    });
    match decision {
        Precheck::Suspended => {
            planned.not_applied = Some(NotApplied::Suspended);
            planned.plan = Some(Plan::default());
        }
        Precheck::InvalidSpec(violation) => planned.violations = vec![violation],
        Precheck::ClassInvalid { not_allowed, .. } => planned.violations = not_allowed,
        Precheck::NotAllowed(violations) => planned.violations = violations,
        Precheck::Admitted(desired) => against_assumed(&desired, &mut planned),
        // These follow from a missing class or from Azure's word about one, and neither is given here.
        Precheck::ClassMissing { .. }
        | Precheck::ClassUnusable { .. }
        | Precheck::ClassUnknown { .. }
        | Precheck::KeepStatus => {}
    }
    planned.notes = notes(profile, class, &planned.violations);
    planned
}

fn against_assumed(desired: &Desired, planned: &mut ProfilePlan) {
    let (observed, assumptions) = assumed(desired);
    planned.assumptions = assumptions;
    let plan = match next_action(desired, &observed) {
        NextAction::Refuse(refusals) => {
            planned.refusals = refusals;
            return;
        }
        NextAction::Report(plan) => {
            planned.not_applied = Some(NotApplied::Observed);
            plan
        }
        NextAction::Apply(plan) => plan,
    };
    planned.changes = plan.sentences();
    planned.plan = Some(plan);
}

/// An Azure that holds nothing but what the profile takes for granted.
fn assumed(desired: &Desired) -> (Observed, Vec<String>) {
    let mut observed = Observed::default();
    let mut assumptions = vec!["Azure holds nothing of this profile yet".to_owned()];
    if desired.identity.creation == CreationPolicy::Adopt {
        let id = desired.identity.id.clone();
        assumptions.push(format!(
            "identity {} exists, in the class's tenant",
            id.name()
        ));
        observed.identity = Some(ManagedIdentity {
            id,
            location: desired.identity.location.clone(),
            tags: BTreeMap::new(),
            client_id: UNSEEN.to_owned(),
            principal_id: UNSEEN.to_owned(),
            tenant_id: desired.tenant_id.clone(),
        });
    }
    for grant in &desired.grants {
        if let Role::Named(name) = &grant.role {
            assumptions.push(format!("there is a role {name:?} at {}", grant.scope));
        }
    }
    (observed, assumptions)
}
