//! The decision for one profile, with what had to be assumed for want of a look at Azure.

use std::collections::BTreeMap;

use podid_core::class::Class;
use podid_core::class::{Violation, check_class};
use podid_core::profile::admit::admit;
use podid_core::profile::desired::Desired;
use podid_core::profile::observed::{ManagedIdentity, Observed};
use podid_core::profile::plan::{Plan, PlanRefusal, plan};
use podid_core::profile::{CreationPolicy, Drift, Profile};
use podid_core::role::Role;
use serde::Serialize;

use super::notes::notes;

/// What stands for an id that only Azure knows.
const UNSEEN: &str = "that Azure knows";

/// What would become of one profile.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<Held>,
}

/// What in the profile keeps podid from acting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Held {
    /// `spec.suspend`: nothing is looked at.
    Suspended,
    /// `spec.drift: Observe`: changes are reported and left to a person.
    Observed,
}

impl Held {
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

impl Outcome {
    pub(super) fn is_refused(&self) -> bool {
        self.plan.is_none()
    }

    pub(super) fn has_changes(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| !plan.is_empty())
    }
}

/// Plans a profile against an empty Azure.
pub(super) fn decide(profile: &Profile, class: &Class, suspended: bool) -> Outcome {
    let mut outcome = Outcome {
        namespace: profile.namespace.clone(),
        profile: profile.name.clone(),
        class: class.name.clone(),
        class_violations: check_class(class),
        violations: Vec::new(),
        refusals: Vec::new(),
        changes: Vec::new(),
        plan: None,
        assumptions: Vec::new(),
        notes: notes(profile, class, &[]),
        held: None,
    };
    if suspended {
        outcome.held = Some(Held::Suspended);
        outcome.plan = Some(Plan::default());
        return outcome;
    }
    let desired = match admit(profile, class) {
        Ok(desired) => desired,
        Err(violations) => {
            outcome.notes = notes(profile, class, &violations);
            outcome.violations = violations;
            return outcome;
        }
    };
    if !outcome.class_violations.is_empty() {
        return outcome;
    }
    let (observed, assumptions) = assumed(&desired);
    outcome.assumptions = assumptions;
    match plan(&desired, &observed) {
        Ok(plan) => {
            outcome.changes = plan.sentences();
            outcome.held =
                (profile.drift == Drift::Observe && !plan.is_empty()).then_some(Held::Observed);
            outcome.plan = Some(plan);
        }
        Err(refusals) => outcome.refusals = refusals,
    }
    outcome
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
