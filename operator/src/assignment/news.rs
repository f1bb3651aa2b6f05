//! Why a pod does not have its identities, in words for the one who described the pod.

use podid_core::binding::Identity;
use podid_core::target::ProviderIdError;

use super::announce::News;
use super::index::Entry;
use super::report::Report;

/// What to say about a pod, by what it is about; `report` is about the pod's machine.
pub(super) fn failures(entry: &Entry, report: Option<&Report>) -> Vec<(String, News)> {
    let malformed = entry.assignments.malformed.iter().map(malformed);
    let machine = machine(entry).into_iter();
    let wanted = entry
        .assignments
        .wanted
        .iter()
        .map(|assignment| &assignment.identity);
    let refused = wanted.filter_map(|identity| {
        let failure = report?.failures.get(&identity.resource_id)?;
        Some((
            name_of(identity),
            not_assigned(&failure.reason, failure.note.clone()),
        ))
    });
    malformed.chain(machine).chain(refused).collect()
}

fn malformed(identity: &Identity) -> (String, News) {
    let note = format!(
        "resourceID {:?} is not the id of a user-assigned identity; correct the AzureIdentity",
        identity.resource_id.as_str()
    );
    (name_of(identity), not_assigned("MalformedResourceId", note))
}

fn machine(entry: &Entry) -> Option<(String, News)> {
    if entry.assignments.wanted.is_empty() {
        return None;
    }
    match entry.machine.as_ref()? {
        // New nodes have none for a moment; that is no news.
        Ok(_) | Err(ProviderIdError::Empty) => None,
        Err(error) => {
            let subject = format!("node {}", entry.placed.node);
            Some((subject, not_assigned("UnknownMachine", error.to_string())))
        }
    }
}

fn name_of(identity: &Identity) -> String {
    format!("{}/{}", identity.namespace, identity.name)
}

fn not_assigned(reason: &str, note: String) -> News {
    News::NotAssigned {
        reason: reason.to_owned(),
        note,
    }
}
