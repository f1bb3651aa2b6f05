//! What Azure must confirm before a class can be used: that the subscription is there and belongs
//! to the tenant, that the groups and the region are there, and that the roles of the limits have
//! names that Azure knows.
//!
//! [`questions`] lists what to ask; the operator asks; [`class_outcome`] turns the answers into an outcome.

use std::collections::BTreeSet;
use std::fmt;

use crate::arm::ArmId;
use crate::call_failure::CallFailure;
use crate::class::Class;
use crate::condition::ReconcileOutcome;
use crate::role::Role;

/// One thing to ask Azure, and the field of the class that it confirms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Path of the field, as `spec.resourceGroup`.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What to ask.
    pub about: About,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Whether this subscription is there, and which tenant it belongs to.
    Subscription(String),
    /// Which regions this subscription may use.
    Regions(String),
    /// Whether this resource group is there.
    Group(ArmId),
    /// Whether a role of this name can be assigned at this scope.
    Role {
        /// Its name for people.
        name: String,
        /// The first of the limit's scopes.
        scope: ArmId,
    },
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It exists.
    Present,
    /// Azure answers that it does not exist.
    Absent,
    /// The subscription exists and belongs to this tenant.
    Tenant(String),
    /// Names of regions.
    Regions(Vec<String>),
    /// Azure refuses to answer until a person acts; the text says how.
    Refused(String),
    /// No answer, or one that is not about the question; the text says why.
    Unanswered(String),
}

impl Answer {
    /// The answer for a failed call, with `text` for people. Only a refusal by Azure itself is about the
    /// class or the operator's rights; every other failure is no answer.
    #[must_use]
    pub fn failed(failure: &CallFailure, text: String) -> Self {
        match failure.is_refusal() {
            true => Self::Refused(text),
            false => Self::Unanswered(text),
        }
    }
}

/// What was known about the current generation of a class before Azure was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// Whether it can be used: yes or no.
    Known,
}

/// Everything to ask about a class, each thing once, in the order of its fields. It is bounded by
/// the class: four questions, one for each group beside its own, one for each role that only
/// Azure knows by name.
#[must_use]
pub fn questions(class: &Class) -> Vec<Question> {
    let subscription = &class.subscription_id;
    let question = |field: &str, value: &str, about| Question {
        field: field.to_owned(),
        value: value.to_owned(),
        about,
    };
    let about = About::Subscription(subscription.clone());
    let mut all = vec![question("spec.subscriptionId", subscription, about)];
    let about = About::Group(class.group_id());
    all.push(question("spec.resourceGroup", &class.resource_group, about));
    let about = About::Regions(subscription.clone());
    all.push(question("spec.location", &class.location, about));
    let (node_group, about) = (&class.node_resource_group, class.node_group_id());
    all.push(question(
        "spec.nodeResourceGroup",
        node_group,
        About::Group(about),
    ));
    for (index, limit) in class.limits.access.iter().enumerate() {
        if let (Role::Named(name), Some(scope)) = (Role::parse(&limit.role), limit.scopes.first()) {
            let field = format!("spec.limits.access[{index}].role");
            let scope = scope.clone();
            all.push(question(&field, &limit.role, About::Role { name, scope }));
        }
    }
    for (index, group) in class.limits.identity_groups.iter().enumerate() {
        let field = format!("spec.limits.identityGroups[{index}]");
        all.push(question(
            &field,
            group.as_str(),
            About::Group(group.clone()),
        ));
    }
    let mut asked = BTreeSet::new();
    all.retain(|question| asked.insert(question.about.key()));
    all
}

/// The outcome for these answers; `None` when they add nothing to what was known before. So a class that
/// could be used stays usable while Azure does not answer.
#[must_use]
pub fn class_outcome(
    class: &Class,
    answers: &[(Question, Answer)],
    before: Before,
) -> Option<ReconcileOutcome> {
    let mut problems: Vec<Problem> = answers
        .iter()
        .filter_map(|(question, answer)| problem(class, question, answer))
        .collect();
    // A missing subscription is the cause of everything else that is missing in it.
    if let Some(at) = problems.iter().position(|it| it.reason == NO_SUBSCRIPTION) {
        problems = vec![problems.swap_remove(at)];
    }
    if !problems.is_empty() {
        return Some(not_ready(&problems));
    }
    let unanswered = answers.iter().find_map(|(question, answer)| match answer {
        Answer::Unanswered(why) => Some(format!("{}: {why}", question.field)),
        _ => None,
    });
    match (unanswered, before) {
        (None, _) => {
            let (group, location) = (&class.resource_group, &class.location);
            let message = format!("identities are made in {group}, {location}");
            Some(ReconcileOutcome::Ready { message })
        }
        (Some(_), Before::Known) => None,
        (Some(why), Before::Nothing) => {
            let message = format!("podid is asking Azure whether the class is right; {why}");
            Some(ReconcileOutcome::Progressing { message })
        }
    }
}

/// What keeps a class from being used.
struct Problem {
    /// Reason of `Ready`.
    reason: &'static str,
    /// Whether it lasts until somebody edits the class, so that asking again does not help.
    lasts: bool,
    text: String,
}

/// Reason while the subscription is not there.
const NO_SUBSCRIPTION: &str = "SubscriptionNotFound";

fn problem(class: &Class, question: &Question, answer: &Answer) -> Option<Problem> {
    match (&question.about, answer) {
        (_, Answer::Refused(why)) => Some(refused(question, why)),
        (_, Answer::Unanswered(_)) => None,
        (About::Group(_) | About::Role { .. }, Answer::Present) => None,
        (About::Subscription(id), Answer::Tenant(tenant)) => wrong_tenant(class, id, tenant),
        (About::Regions(id), Answer::Regions(regions)) => wrong_region(question, id, regions),
        (about, _) => Some(absent(question, about)),
    }
}

fn refused(question: &Question, why: &str) -> Problem {
    let Question { field, value, .. } = question;
    Problem {
        reason: "NotConfirmed",
        lasts: false,
        text: format!("{field}: {value:?} cannot be looked up in Azure: {why}"),
    }
}

fn wrong_tenant(class: &Class, subscription: &str, tenant: &str) -> Option<Problem> {
    let wanted = &class.tenant_id;
    (!tenant.eq_ignore_ascii_case(wanted)).then(|| Problem {
        reason: "WrongTenant",
        lasts: true,
        text: format!(
            "spec.tenantId: {wanted:?} is not the tenant of subscription {subscription}, which is \
             {tenant}; correct spec.tenantId or spec.subscriptionId"
        ),
    })
}

fn wrong_region(question: &Question, subscription: &str, regions: &[String]) -> Option<Problem> {
    let Question { field, value, .. } = question;
    let is_there = regions
        .iter()
        .any(|region| region.eq_ignore_ascii_case(value));
    (!is_there).then(|| Problem {
        reason: "LocationNotFound",
        lasts: true,
        text: format!(
            "{field}: {value:?} is not a region that subscription {subscription} may use; correct \
             {field} to one of `az account list-locations`"
        ),
    })
}

/// What was asked about does not exist.
fn absent(question: &Question, about: &About) -> Problem {
    let Question { field, value, .. } = question;
    let (reason, lasts, why, remedy) = match about {
        About::Subscription(_) => (
            NO_SUBSCRIPTION,
            false,
            "is not a subscription that the operator's identity can see".to_owned(),
            format!("correct {field}, or give the operator's identity access to it"),
        ),
        About::Regions(id) => (
            NO_SUBSCRIPTION,
            false,
            format!("cannot be compared with the regions of subscription {id}"),
            "correct spec.subscriptionId".to_owned(),
        ),
        About::Group(id) => (
            "ResourceGroupNotFound",
            false,
            format!(
                "is not a resource group of subscription {}",
                id.subscription().unwrap_or_default()
            ),
            format!("create it, or correct {field}"),
        ),
        About::Role { name, scope } => (
            "RoleNotFound",
            true,
            format!("is not a role that Azure knows at {scope}"),
            match Role::Named(name.clone()).did_you_mean() {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("correct {field}, or make a custom role named {name:?} there"),
            },
        ),
    };
    Problem {
        reason,
        lasts,
        text: format!("{field}: {value:?} {why}; {remedy}"),
    }
}

/// Stalled if one of the problems lasts until the class is edited, else retrying.
fn not_ready(problems: &[Problem]) -> ReconcileOutcome {
    let texts: Vec<&str> = problems.iter().map(|problem| &*problem.text).collect();
    let message = texts.join(" | ");
    match problems.iter().find(|problem| problem.lasts) {
        Some(problem) => ReconcileOutcome::Stalled {
            reason: problem.reason.to_owned(),
            message,
        },
        None => ReconcileOutcome::Retrying { message },
    }
}

impl About {
    /// Equal for questions that Azure would answer alike: names in Azure have no letter case.
    fn key(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscription(id) => write!(f, "subscription {id}"),
            Self::Regions(id) => write!(f, "regions of subscription {id}"),
            Self::Group(id) => write!(f, "resource group {id}"),
            Self::Role { name, .. } => write!(f, "role {name}"),
        }
    }
}

#[cfg(test)]
mod tests;
