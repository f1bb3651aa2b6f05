//! How far a pod is with each of its identities.

use std::collections::{BTreeMap, BTreeSet};

use podid_core::assigned_identity::{
    AssignmentFailure, AssignmentState, assignment_state, unverified_state,
};
use podid_core::binding::PodIdentity;
use podid_core::binding::Verification;
use podid_core::binding::{AzureIdentity, Origin};
use podid_core::names;
use podid_core::net_raw::NetRaw;
use podid_core::target::{ProviderIdError, TargetStatus};

use podid_index::ObjectKey;

use super::existing::Said;
use super::index::IndexedPod;
use super::pod_state::{Row, Stage};

/// Reason of a pod on a node that is no machine of Azure.
const UNKNOWN_MACHINE: &str = "UnknownMachine";

/// How far a pod is with one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assessed<'a> {
    pub(super) assignment: &'a PodIdentity,
    pub(super) state: AssignmentState,
    /// What stands in the way, also when it may pass.
    pub(super) trouble: Option<AssignmentFailure>,
    /// Whether podid refuses it, not Azure.
    pub(super) by_us: bool,
}

impl Assessed<'_> {
    fn identity(&self) -> &AzureIdentity {
        &self.assignment.identity
    }
}

/// Looks at each assignment of a pod; `status` is of the VM or scale set under it, and `said` is what its
/// AzureAssignedIdentities say.
pub(super) fn assess<'a>(
    entry: &'a IndexedPod,
    status: Option<&TargetStatus>,
    said: &Said,
) -> Vec<Assessed<'a>> {
    let of = |(assignment, standing)| one(entry, assignment, standing, status, said);
    entry.wanted().map(of).collect()
}

fn one<'a>(
    entry: &IndexedPod,
    assignment: &'a PodIdentity,
    standing: &Verification,
    status: Option<&TargetStatus>,
    said: &Said,
) -> Assessed<'a> {
    let before = before(entry, assignment, said);
    let id = &assignment.identity.resource_id;
    if let Some(state) = unverified_state(standing, before.clone()) {
        // Before it was looked up nothing is to be said, also when something was said before a restart.
        let (trouble, by_us) = match standing {
            Verification::Pending(_) if state == AssignmentState::Assigned => (None, false),
            Verification::Pending(trouble) => (trouble.clone(), false),
            Verification::Refused(failure) => (Some(failure.clone()), true),
            Verification::Verified => (None, false),
        };
        return Assessed {
            assignment,
            state,
            trouble,
            by_us,
        };
    }
    if let Some(failure) = unknown_machine(entry) {
        return Assessed::by_azure(assignment, AssignmentState::Failed(failure), None);
    }
    let failure = status.and_then(|status| status.failures.get(id));
    let carries = status.and_then(|status| status.carries.as_ref());
    let lasting = failure.and_then(|failure| failure.lasting());
    let before = before.filter(|before| !was_refused_by_us(before));
    let state = assignment_state(id, carries, lasting, before);
    let trouble = failure.map(|failure| failure.cause.clone());
    Assessed::by_azure(assignment, state, trouble)
}

impl<'a> Assessed<'a> {
    /// What podid itself does not refuse.
    fn by_azure(
        assignment: &'a PodIdentity,
        state: AssignmentState,
        trouble: Option<AssignmentFailure>,
    ) -> Self {
        let trouble = match &state {
            AssignmentState::Assigned => None,
            AssignmentState::Created => trouble,
            AssignmentState::Failed(failure) => Some(failure.clone()),
        };
        Self {
            assignment,
            state,
            trouble,
            by_us: false,
        }
    }
}

/// How far it was said to be. Said of another identity, it would open that one to whoever edits an
/// AzureIdentity.
fn before(entry: &IndexedPod, assignment: &PodIdentity, said: &Said) -> Option<AssignmentState> {
    let (pod, identity) = (&entry.placed.pod, &assignment.identity);
    let name = names::assigned_identity(&pod.name, &pod.uid, &identity.namespace, &identity.name);
    let says = said.get(&name)?.as_ref()?;
    (says.resource_id.as_ref() == Some(&identity.resource_id)).then(|| says.state.clone())
}

/// Whether podid itself refused what it serves now: that says nothing about what Azure will say.
fn was_refused_by_us(before: &AssignmentState) -> bool {
    matches!(before, AssignmentState::Failed(failure)
        if Verification::refuses_with(failure) || failure.reason == UNKNOWN_MACHINE)
}

/// Why there is no machine to put an identity on, unless the node is only new.
fn unknown_machine(entry: &IndexedPod) -> Option<AssignmentFailure> {
    match entry.target.as_ref()? {
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
pub(super) fn rows(entry: &IndexedPod, assessed: &[Assessed<'_>]) -> BTreeMap<ObjectKey, Row> {
    let pod = &entry.placed.pod;
    let of_profile = |identity: &&AzureIdentity| identity.origin == Origin::Profile;
    let key = |identity: &AzureIdentity| ObjectKey::new(&identity.namespace, &identity.name);
    let row = |stage, identity: &AzureIdentity| Row {
        stage,
        audited: match identity.net_raw {
            NetRaw::Audit => pod.breaches.clone(),
            NetRaw::Enforce | NetRaw::Ignore => BTreeSet::new(),
        },
    };
    if let Some(refused) = &entry.assignments.refused {
        let identities = refused.identities.iter().filter(of_profile);
        let stage = || Stage::Refused(refused.breaches.clone());
        let refused = |identity: &AzureIdentity| {
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
    match &assessed.state {
        AssignmentState::Assigned => Stage::Assigned,
        AssignmentState::Created => Stage::UnderWay(assessed.trouble.clone()),
        AssignmentState::Failed(failure) => Stage::Failed(failure.clone()),
    }
}

#[cfg(test)]
mod tests;
