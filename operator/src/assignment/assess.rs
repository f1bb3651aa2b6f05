//! How far a pod is with each of its identities.

use std::collections::{BTreeMap, BTreeSet};

use podid_core::assignment::{
    Assignment, AssignmentFailure, Progress, progress, progress_unserved,
};
use podid_core::binding::{Identity, Origin};
use podid_core::hand_written::Standing;
use podid_core::names;
use podid_core::profile::NetRaw;
use podid_core::target::ProviderIdError;

use super::ObjectKey;
use super::index::Entry;
use super::objects::Said;
use super::report::Report;
use super::tally::{Row, Stage};

/// Reason of a pod on a node that is no machine of Azure.
const UNKNOWN_MACHINE: &str = "UnknownMachine";

/// How far a pod is with one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assessed<'a> {
    pub(super) assignment: &'a Assignment,
    pub(super) progress: Progress,
    /// What stands in the way, also when it may pass.
    pub(super) trouble: Option<AssignmentFailure>,
    /// Whether podid refuses it, not Azure.
    pub(super) by_us: bool,
}

impl Assessed<'_> {
    fn identity(&self) -> &Identity {
        &self.assignment.identity
    }
}

/// Looks at each assignment of a pod; `report` is about the machine under it, and `said` is what its
/// AzureAssignedIdentities say.
pub(super) fn assess<'a>(
    entry: &'a Entry,
    report: Option<&Report>,
    said: &Said,
) -> Vec<Assessed<'a>> {
    let of = |(assignment, standing)| one(entry, assignment, standing, report, said);
    entry.wanted().map(of).collect()
}

fn one<'a>(
    entry: &Entry,
    assignment: &'a Assignment,
    standing: &Standing,
    report: Option<&Report>,
    said: &Said,
) -> Assessed<'a> {
    let before = before(entry, assignment, said);
    let id = &assignment.identity.resource_id;
    if let Some(progress) = progress_unserved(standing, before.clone()) {
        // Before it was looked up nothing is to be said, also when something was said before a restart.
        let (trouble, by_us) = match standing {
            Standing::Unchecked(_) if progress == Progress::Assigned => (None, false),
            Standing::Unchecked(trouble) => (trouble.clone(), false),
            Standing::Refused(failure) => (Some(failure.clone()), true),
            Standing::Served => (None, false),
        };
        return Assessed {
            assignment,
            progress,
            trouble,
            by_us,
        };
    }
    if let Some(failure) = unknown_machine(entry) {
        return Assessed::by_azure(assignment, Progress::Failed(failure), None);
    }
    let failure = report.and_then(|report| report.failures.get(id));
    let carries = report.and_then(|report| report.carries.as_ref());
    let lasting = failure.and_then(|failure| failure.lasting());
    let before = before.filter(|before| !was_refused_by_us(before));
    let progress = progress(id, carries, lasting, before);
    let trouble = failure.map(|failure| failure.cause.clone());
    Assessed::by_azure(assignment, progress, trouble)
}

impl<'a> Assessed<'a> {
    /// What podid itself does not refuse.
    fn by_azure(
        assignment: &'a Assignment,
        progress: Progress,
        trouble: Option<AssignmentFailure>,
    ) -> Self {
        let trouble = match &progress {
            Progress::Assigned => None,
            Progress::Created => trouble,
            Progress::Failed(failure) => Some(failure.clone()),
        };
        Self {
            assignment,
            progress,
            trouble,
            by_us: false,
        }
    }
}

/// How far it was said to be. Said of another identity, it would open that one to whoever edits an
/// AzureIdentity.
fn before(entry: &Entry, assignment: &Assignment, said: &Said) -> Option<Progress> {
    let (pod, identity) = (&entry.placed.pod, &assignment.identity);
    let name = names::assigned_identity(&pod.name, &pod.uid, &identity.namespace, &identity.name);
    let says = said.get(&name)?.as_ref()?;
    (says.resource_id == identity.resource_id).then(|| says.progress.clone())
}

/// Whether podid itself refused what it serves now: that says nothing about what Azure will say.
fn was_refused_by_us(before: &Progress) -> bool {
    matches!(before, Progress::Failed(failure)
        if Standing::refuses_with(failure) || failure.reason == UNKNOWN_MACHINE)
}

/// Why there is no machine to put an identity on, unless the node is only new.
fn unknown_machine(entry: &Entry) -> Option<AssignmentFailure> {
    match entry.machine.as_ref()? {
        Ok(_) | Err(ProviderIdError::Empty) => None,
        Err(error) => Some(AssignmentFailure {
            reason: UNKNOWN_MACHINE.to_owned(),
            message: format!(
                "run the pod on a node that is an Azure machine: node {} is not one, {error}",
                entry.placed.node
            ),
        }),
    }
}

/// What a pod adds to the tally of each profile that binds it.
pub(super) fn rows(entry: &Entry, assessed: &[Assessed<'_>]) -> BTreeMap<ObjectKey, Row> {
    let pod = &entry.placed.pod;
    let of_profile = |identity: &&Identity| identity.origin == Origin::Profile;
    let key = |identity: &Identity| ObjectKey::new(&identity.namespace, &identity.name);
    let row = |stage, identity: &Identity| Row {
        stage,
        audited: match identity.net_raw {
            NetRaw::Audit => pod.breaches.clone(),
            NetRaw::Enforce | NetRaw::Ignore => BTreeSet::new(),
        },
    };
    if let Some(refused) = &entry.assignments.refused {
        let identities = refused.identities.iter().filter(of_profile);
        let stage = || Stage::Refused(refused.breaches.clone());
        let refused = |identity: &Identity| {
            Row {
                stage: stage(),
                audited: BTreeSet::new(),
            }
            .keyed(key(identity))
        };
        return identities.map(refused).collect();
    }
    let assessed = assessed.iter().filter(|one| of_profile(&one.identity()));
    assessed
        .map(|one| row(stage(one), one.identity()).keyed(key(one.identity())))
        .collect()
}

impl Row {
    fn keyed(self, key: ObjectKey) -> (ObjectKey, Self) {
        (key, self)
    }
}

fn stage(assessed: &Assessed<'_>) -> Stage {
    match &assessed.progress {
        Progress::Assigned => Stage::Assigned,
        Progress::Created => Stage::UnderWay(assessed.trouble.clone()),
        Progress::Failed(failure) => Stage::Failed(failure.clone()),
    }
}

#[cfg(test)]
mod tests;
