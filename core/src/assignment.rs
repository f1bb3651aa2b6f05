//! Which identities a machine carries for the pods on it, and what to change there.
//!
//! podid records, before it acts, what it puts on a machine: its [`Ledger`]. It takes away only
//! what the machine has **and** the ledger names, so that nothing foreign is ever stripped; and
//! because the record comes first, nothing of ours is forgotten by a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::arm::{ArmId, IdentityId};
use crate::binding::{Binding, Bound, Identity, IdentityKind, Pod, Reach};
use crate::hand_written::Standing;
use crate::names;
use crate::net_raw::Breach;

pub(crate) mod failure;
pub mod pods;
mod refused;
mod renewal;

pub use failure::AssignmentFailure;
pub use refused::RefusedPod;
pub use renewal::outdated;

/// Whether a pod holds the identities it is bound to: it is labelled, on a node and not done. A
/// pod that terminates holds them until it is gone.
#[must_use]
pub fn holds_identities(selector: Option<&str>, node: Option<&str>, phase: Option<&str>) -> bool {
    let given = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    given(selector) && given(node) && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// One pod's use of one managed identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assignment {
    /// What the pod may use.
    pub identity: Identity,
    /// What gives it the use; the first by namespace and name when several do.
    pub binding: Binding,
}

/// What a pod's bindings come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Assignments {
    /// Identities to put on the machine under the pod.
    pub wanted: Vec<Assignment>,
    /// Managed identities whose `resourceID` names no user-assigned identity.
    pub malformed: Vec<Identity>,
    /// Bindings that select the pod and name an AzureIdentity that does not exist.
    pub dangling: Vec<Binding>,
    /// What the pod is refused all of it for: the ways in which it breaks the rule of a profile
    /// with `netRaw: Enforce`, or that it uses the node's network; and the identities that it would
    /// have otherwise.
    pub refused: Option<RefusedPod>,
}

/// The assignments of a pod that [holds identities](holds_identities). Service principals are
/// not put on machines, hence are not among them.
#[must_use]
pub fn assignments_of<'a>(
    pod: &Pod,
    bindings: impl IntoIterator<Item = &'a Binding>,
    identities: impl IntoIterator<Item = &'a Identity>,
    reach: Reach,
) -> Assignments {
    let bound = Bound::of(pod, bindings, identities, reach);
    let mut assignments = Assignments {
        dangling: bound.dangling.iter().copied().cloned().collect(),
        ..Assignments::default()
    };
    if let Some(breaches) = refusal(&bound, pod) {
        let identities = bound.uses.iter().map(|(identity, _)| *identity).cloned();
        assignments.refused = Some(RefusedPod {
            breaches,
            identities: identities.collect(),
        });
        return assignments;
    }
    for (identity, binding) in bound.uses {
        match identity.kind {
            IdentityKind::Managed if IdentityId::parse(&identity.resource_id).is_none() => {
                assignments.malformed.push(identity.clone());
            }
            IdentityKind::Managed => assignments.wanted.push(Assignment {
                identity: identity.clone(),
                binding: binding.clone(),
            }),
            IdentityKind::ServicePrincipalSecret | IdentityKind::ServicePrincipalCertificate => {}
        }
    }
    assignments
}

/// What a bound pod is refused everything for. On the node's network no pod can be told from the
/// node, so such a pod is never served, whatever its bindings ask.
fn refusal(bound: &Bound<'_>, pod: &Pod) -> Option<BTreeSet<Breach>> {
    let strict = bound.breaches(pod).cloned();
    let on_node = !bound.uses.is_empty() && pod.breaches.contains(&Breach::HostNetwork);
    strict.or_else(|| on_node.then(|| [Breach::HostNetwork].into()))
}

/// What podid has put on one machine, or may have: written down before Azure is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ledger(pub BTreeSet<ArmId>);

impl Ledger {
    /// The record to write before `plan` is carried out.
    #[must_use]
    pub fn ahead_of(&self, plan: &TargetPlan) -> Self {
        Self(self.0.union(&plan.add).cloned().collect())
    }

    /// The record once it is certain what the machine has: nothing under way, nothing unanswered.
    #[must_use]
    pub fn settled(&self, on_machine: &BTreeSet<ArmId>) -> Self {
        Self(self.0.intersection(on_machine).cloned().collect())
    }
}

/// Changes of the user-assigned identities of one machine. The machine's own (system-assigned)
/// identity is not part of it, hence never touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TargetPlan {
    /// Wanted and absent.
    pub add: BTreeSet<ArmId>,
    /// Present, put there by us, and no longer wanted.
    pub remove: BTreeSet<ArmId>,
}

/// What to change on a machine that has `on_machine` and should carry `desired`.
///
/// `ledger` is what we put there; `immutable` is never taken away, whoever put it there.
#[must_use]
pub fn plan_target(
    desired: &BTreeSet<ArmId>,
    on_machine: &BTreeSet<ArmId>,
    ledger: &Ledger,
    immutable: &BTreeSet<ArmId>,
) -> TargetPlan {
    let ours = on_machine.intersection(&ledger.0);
    let unwanted = ours.filter(|id| !desired.contains(*id) && !immutable.contains(*id));
    TargetPlan {
        add: desired.difference(on_machine).cloned().collect(),
        remove: unwanted.cloned().collect(),
    }
}

impl TargetPlan {
    /// Whether there is nothing to do: then Azure is not called at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// How many identities it names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.add.len() + self.remove.len()
    }

    /// The plan in parts of at most `max` identities, additions first: pods wait for those.
    #[must_use]
    pub fn chunks(&self, max: usize) -> Vec<Self> {
        let adds = self.add.iter().map(|id| (id, true));
        let changes: Vec<_> = adds
            .chain(self.remove.iter().map(|id| (id, false)))
            .collect();
        changes
            .chunks(max.max(1))
            .map(|part| {
                let these = |adding: bool| {
                    let of_kind = part.iter().filter(move |(_, add)| *add == adding);
                    of_kind.map(|(id, _)| (*id).clone()).collect()
                };
                Self {
                    add: these(true),
                    remove: these(false),
                }
            })
            .collect()
    }

    /// What is left of the plan without these identities.
    #[must_use]
    pub fn without(&self, identities: &BTreeSet<ArmId>) -> Self {
        Self {
            add: &self.add - identities,
            remove: &self.remove - identities,
        }
    }
}

impl fmt::Display for TargetPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing to change");
        }
        let adds = self.add.iter().map(|id| ('+', id));
        let changes = adds.chain(self.remove.iter().map(|id| ('-', id)));
        for (position, (sign, id)) in changes.enumerate() {
            let gap = if position == 0 { "" } else { " " };
            write!(f, "{gap}{sign}{}", id.name())?;
        }
        Ok(())
    }
}

/// How far an assignment has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Progress {
    /// Known, and on its way to the machine.
    Created,
    /// On the machine, as Azure confirmed.
    Assigned,
    /// Refused until a person acts: it will not come by waiting, and the pod is told so.
    Failed(AssignmentFailure),
}

/// How far an assignment has come, from what the machine is known to carry (`None`: not looked
/// yet), why it was refused if it was, and what was said before of the same identity. What was
/// assigned stays so until Azure says otherwise, or a restart of ours would stop tokens that are
/// fine; and what was refused stays so until Azure says yes, or a restart would call it on its way
/// once more and its profile ready.
#[must_use]
pub fn progress(
    identity: &ArmId,
    on_machine: Option<&BTreeSet<ArmId>>,
    failure: Option<&AssignmentFailure>,
    before: Option<Progress>,
) -> Progress {
    match (on_machine, failure) {
        (Some(on_machine), _) if on_machine.contains(identity) => Progress::Assigned,
        (None, _) if before == Some(Progress::Assigned) => Progress::Assigned,
        (_, Some(failure)) => Progress::Failed(failure.clone()),
        (Some(_), None) if before == Some(Progress::Assigned) => Progress::Created,
        (_, None) => before.unwrap_or(Progress::Created),
    }
}

/// The same for an identity that may not be put on a machine as things [stand](Standing).
#[must_use]
pub fn progress_unserved(standing: &Standing, before: Option<Progress>) -> Option<Progress> {
    match standing {
        Standing::Served => None,
        Standing::Refused(failure) => Some(Progress::Failed(failure.clone())),
        // That the machine carries it says nothing: it may be there for others.
        Standing::Unchecked(_) => Some(before.unwrap_or(Progress::Created)),
    }
}

/// An AzureAssignedIdentity of one pod, as far as it is decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AssignedIdentity {
    /// Node the pod runs on.
    pub node: String,
    /// The AzureIdentity, by namespace and name.
    pub identity: (String, String),
    /// Its ARM id.
    pub resource_id: ArmId,
    /// Its client id.
    pub client_id: String,
    /// The AzureIdentityBinding, by namespace and name.
    pub binding: (String, String),
    /// How far it has come.
    pub progress: Progress,
}

/// The AzureAssignedIdentities that a pod on `node` should have, by name.
#[must_use]
pub fn assigned_identities(
    pod: &Pod,
    node: &str,
    assignments: &[Assignment],
    progress: impl Fn(&str, &Identity) -> Progress,
) -> BTreeMap<String, AssignedIdentity> {
    let of = |Assignment { identity, binding }: &Assignment| {
        let name =
            names::assigned_identity(&pod.name, &pod.uid, &identity.namespace, &identity.name);
        let progress = progress(&name, identity);
        let object = AssignedIdentity {
            node: node.to_owned(),
            identity: (identity.namespace.clone(), identity.name.clone()),
            resource_id: identity.resource_id.clone(),
            client_id: identity.client_id.clone(),
            binding: (binding.namespace.clone(), binding.name.clone()),
            progress,
        };
        (name, object)
    };
    assignments.iter().map(of).collect()
}

/// What to write so that a pod's AzureAssignedIdentities are as they should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ObjectsPlan {
    /// Objects to apply, by name.
    pub apply: BTreeMap<String, AssignedIdentity>,
    /// Names of objects to delete.
    pub delete: BTreeSet<String>,
}

/// Compares the objects a pod should have with those it has.
#[must_use]
pub fn plan_objects(
    desired: &BTreeMap<String, AssignedIdentity>,
    observed: &BTreeMap<String, Option<AssignedIdentity>>,
) -> ObjectsPlan {
    let differs = |(name, object): &(&String, &AssignedIdentity)| {
        observed.get(*name).and_then(Option::as_ref) != Some(*object)
    };
    let copy = |(name, object): (&String, &AssignedIdentity)| (name.clone(), object.clone());
    let gone = observed.keys().filter(|name| !desired.contains_key(*name));
    ObjectsPlan {
        apply: desired.iter().filter(differs).map(copy).collect(),
        delete: gone.cloned().collect(),
    }
}

#[cfg(test)]
mod tests;
