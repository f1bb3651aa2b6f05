//! The plan of one profile, as it is printed.

use std::collections::BTreeSet;

use podid_core::class::Violation;
use podid_core::profile::Profile;
use podid_core::profile::observed::ProfileRecord;
use podid_core::profile::plan::{Plan, PlanRefusal};
use podid_core::right::{Right, RightsChange};
use serde::Serialize;

use super::words::plural;
use crate::tree::Place;

/// What the operator would do for one profile.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProfilePlan {
    /// Folder of the cluster, where several are planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cluster: Option<String>,
    pub(super) namespace: String,
    pub(super) profile: String,
    pub(super) class: String,
    /// Where the profile is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<Place>,
    /// What becomes of its file.
    pub(super) change: Change,
    /// Why the class itself cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) class_violations: Vec<PlacedViolation>,
    /// What the class does not allow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) violations: Vec<PlacedViolation>,
    /// What podid would not do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) refusals: Vec<PlanRefusal>,
    /// What its pods may do in Azure that they could not before, and the other way round.
    pub(super) rights: RightsReport,
    /// The pods that it is for.
    pub(super) pods: Pods,
    /// Those that it was for, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pods_before: Option<Pods>,
    /// What podid would do, in words.
    pub(super) changes: Vec<String>,
    /// The same for programs; absent when anything above stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<Plan>,
    /// What podid takes away of a profile that its class does not allow (`limits.onNarrowing`); in words in `changes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) withdrawal: Option<Plan>,
    /// What its status in the cluster records of the identity and the role assignments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recorded: Option<ProfileRecord>,
    /// What was taken for granted.
    pub(super) assumptions: Vec<String>,
    /// What the author should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    /// Why the operator is not done with the profile in the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unready: Option<String>,
    /// Why podid would not act on the plan by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_applied: Option<NotApplied>,
}

/// What becomes of a profile's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Change {
    Added,
    Changed,
    /// Neither the profile nor what is done for it differs.
    Unchanged,
    Deleted,
}

/// A violation, and the line that it is about.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PlacedViolation {
    #[serde(flatten)]
    pub(super) violation: Violation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<Place>,
}

impl From<Violation> for PlacedViolation {
    fn from(violation: Violation) -> Self {
        Self {
            violation,
            place: None,
        }
    }
}

/// Rights gained and lost.
#[derive(Debug, Default, Serialize)]
pub(super) struct RightsReport {
    pub(super) gained: Vec<RightReport>,
    pub(super) lost: Vec<RightReport>,
}

/// A right, also in words.
#[derive(Debug, Serialize)]
pub(super) struct RightReport {
    role: String,
    scope: String,
    pub(super) words: String,
}

impl RightsReport {
    pub(super) fn new(change: &RightsChange) -> Self {
        let report = |rights: &[Right]| rights.iter().map(RightReport::new).collect();
        Self {
            gained: report(&change.gained),
            lost: report(&change.lost),
        }
    }
}

impl RightReport {
    fn new(right: &Right) -> Self {
        Self {
            role: right.role.to_string(),
            scope: right.scope.to_string(),
            words: right.to_string(),
        }
    }
}

/// The pods of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pods {
    pub(super) namespace: String,
    /// Value of the label `aadpodidbinding`.
    pub(super) selector: String,
    /// Service accounts that narrow it; empty: any.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) service_accounts: BTreeSet<String>,
    /// Workloads in the same files whose pods these are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) workloads: Vec<String>,
}

impl Pods {
    pub(super) fn of(profile: &Profile) -> Self {
        Self {
            namespace: profile.namespace.clone(),
            selector: profile.selector.clone(),
            service_accounts: profile.service_accounts.clone(),
            workloads: Vec::new(),
        }
    }

    /// In words, which of these pods are not among others; `None` if all are.
    pub(super) fn without(&self, others: &Self) -> Option<String> {
        if self.selector != others.selector || self.namespace != others.namespace {
            return Some(self.words());
        }
        let (before, now) = (&self.service_accounts, &others.service_accounts);
        if now.is_empty() || before.is_subset(now) && !before.is_empty() {
            return None;
        }
        let lost = Self {
            service_accounts: before - now,
            ..self.clone()
        };
        match before.is_empty() {
            true => {
                let kept: Vec<&str> = now.iter().map(String::as_str).collect();
                let all = lost.words();
                Some(format!(
                    "{all} and another service account than {}",
                    kept.join(", ")
                ))
            }
            false => Some(lost.words()),
        }
    }

    /// In words, as `pods of namespace shop with aadpodidbinding=cart`.
    pub(super) fn words(&self) -> String {
        let mut words = format!(
            "pods of namespace {} with aadpodidbinding={}",
            self.namespace, self.selector
        );
        if !self.service_accounts.is_empty() {
            let accounts: Vec<&str> = self.service_accounts.iter().map(String::as_str).collect();
            words += &format!(" and service account {}", accounts.join(" or "));
        }
        if !self.workloads.is_empty() {
            words += &format!(": those of {}", self.workloads.join(", "));
        }
        words
    }
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
    /// What the author should know, one sentence each.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> {
        let unready = self.unready.iter();
        let unready = unready.map(|why| format!("in the cluster the profile is not ready: {why}"));
        self.notes.iter().cloned().chain(unready)
    }

    /// A plan of which nothing is known yet.
    pub(super) fn new(profile: &Profile, class: &str) -> Self {
        Self {
            cluster: None,
            namespace: profile.namespace.clone(),
            profile: profile.name.clone(),
            class: class.to_owned(),
            place: None,
            change: Change::Added,
            class_violations: Vec::new(),
            violations: Vec::new(),
            refusals: Vec::new(),
            rights: RightsReport::default(),
            pods: Pods::of(profile),
            pods_before: None,
            changes: Vec::new(),
            plan: None,
            withdrawal: None,
            recorded: None,
            assumptions: Vec::new(),
            notes: Vec::new(),
            unready: None,
            not_applied: None,
        }
    }

    /// As `payments/checkout`, with the cluster's folder where several are planned.
    pub(super) fn name(&self) -> String {
        let name = format!("{}/{}", self.namespace, self.profile);
        match &self.cluster {
            Some(cluster) => format!("{name} of {cluster}"),
            None => name,
        }
    }

    /// What the cluster knows of it, as `identity …/shop-cart (client id …) and 2 role assignments`.
    pub(super) fn recorded(&self) -> Option<String> {
        let recorded = self.recorded.as_ref()?;
        let Some(identity) = &recorded.identity else {
            return Some("no identity yet".to_owned());
        };
        let count = u32::try_from(recorded.role_assignments.len()).unwrap_or(u32::MAX);
        Some(format!(
            "identity {} (client id {}) and {count} {}",
            identity.id,
            identity.client_id,
            plural(count, "role assignment")
        ))
    }

    pub(super) fn is_refused(&self) -> bool {
        self.plan.is_none()
    }

    pub(super) fn has_changes(&self) -> bool {
        let mut plans = self.plan.iter().chain(&self.withdrawal);
        plans.any(|plan| !plan.is_empty())
    }

    /// The plan, if podid carries it out.
    pub(super) fn applied(&self) -> Option<&Plan> {
        let planned = self.plan.as_ref().filter(|_| self.not_applied.is_none());
        planned.or(self.withdrawal.as_ref())
    }

    /// What becomes of a profile that is refused.
    pub(super) fn fate(&self) -> &'static str {
        match self
            .withdrawal
            .as_ref()
            .is_some_and(|plan| !plan.is_empty())
        {
            true => {
                "the profile would be Stalled, and podid takes away what the class does not allow \
                 (limits.onNarrowing: Revoke)"
            }
            false => "the profile would be Stalled, and Azure left alone",
        }
    }
}
