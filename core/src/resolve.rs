//! What a pod that asks for a token gets. The node daemon answers by it, `podid explain` prints
//! it.
//!
//! ```text
//! pod of a kind that is served? ── no ──► Refuse
//!   │ excepted by labels? ── yes ──► PassThrough
//!   │ identities bound to it (binding::identities_of)
//!   │   none ──► Refuse      selector picks one of them? ── no ──► Refuse
//!   │                        none asked for, several bound ──► Refuse
//!   ▼ one identity
//! type 0? on the machine? ── not yet ──► Wait
//!   ▼
//! Serve
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::arm::{ArmId, IdentityId};
use crate::binding::{self, Binding, Identity, IdentityKind, Pod, Reach};

/// A pod that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// What binding it to identities needs.
    pub pod: Pod,
    /// All its labels, for exceptions.
    pub labels: BTreeMap<String, String>,
    /// Whether it shares the node's network, so that it cannot be told from the node.
    pub host_network: bool,
    /// Whether all its containers have ended for good (phase Succeeded or Failed).
    pub completed: bool,
}

/// An AzurePodIdentityException.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Exception {
    /// Namespace of the object, and of the pods it excepts.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Labels a pod must all carry; none excepts nobody.
    pub labels: BTreeMap<String, String>,
}

impl Exception {
    fn excepts(&self, caller: &Caller) -> bool {
        !self.labels.is_empty()
            && self.namespace == caller.pod.namespace
            && self
                .labels
                .iter()
                .all(|(key, value)| caller.labels.get(key) == Some(value))
    }
}

/// An AzureAssignedIdentity of the pod's node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Assignment {
    /// Uid of the pod it was made for, from its owner reference.
    pub pod_uid: String,
    /// Namespace of the AzureIdentity.
    pub namespace: String,
    /// Name of the AzureIdentity.
    pub identity: String,
    /// How far it is.
    pub state: AssignmentState,
}

/// State of an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum AssignmentState {
    /// On its way to the machine.
    Created,
    /// On the machine.
    Assigned,
    /// Being taken away.
    Unassigned,
}

/// Which identity a request names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Selector {
    /// None: the pod's only one.
    #[default]
    Only,
    /// `client_id`
    ClientId(String),
    /// `object_id`
    ObjectId(String),
    /// `msi_res_id` or `mi_res_id`
    ResourceId(ArmId),
}

impl Selector {
    /// Whether it names `identity`; ids are compared without letter case.
    fn names(&self, identity: &Identity) -> bool {
        match self {
            Self::Only => true,
            Self::ClientId(id) => identity.client_id.eq_ignore_ascii_case(id),
            // An AzureIdentity does not carry its object id.
            Self::ObjectId(_) => false,
            Self::ResourceId(id) => identity.resource_id == *id,
        }
    }
}

/// What is known when a pod asks. Objects that do not concern the pod change nothing.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// AzureIdentityBindings.
    pub bindings: &'a [Binding],
    /// AzureIdentities.
    pub identities: &'a [Identity],
    /// AzurePodIdentityExceptions.
    pub exceptions: &'a [Exception],
    /// AzureAssignedIdentities.
    pub assignments: &'a [Assignment],
    /// How far identities reach.
    pub reach: Reach,
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Decision {
    /// A token of this identity.
    Serve(Identity),
    /// The identity is the pod's but not on the machine yet: look again when assignments change.
    Wait(Identity),
    /// The node's own metadata service answers, as the exception of this namespace and name says.
    PassThrough(String, String),
    /// No, and why.
    Refuse(Refusal),
}

/// Why a pod gets no token, whatever happens on the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Refusal {
    /// It uses the node's network.
    HostNetwork,
    /// All its containers have ended.
    Completed,
    /// No binding gives it any identity.
    NotBound,
    /// The request names an identity that is not among the pod's.
    NotItsIdentity(Selector),
    /// The request names an identity by a property podid does not know.
    UnknownObjectId(String),
    /// The request names none, and these are bound (namespace/name).
    Ambiguous(Vec<String>),
    /// The identity is a service principal (namespace/name).
    ServicePrincipal(String),
    /// The AzureIdentity (namespace/name) has no client id, which IMDS would answer with an
    /// identity of the node.
    NoClientId(String),
    /// The AzureIdentity (namespace/name) has a resource id that is not a user-assigned identity's.
    MalformedResourceId(String),
}

/// The text for which SDKs look when an identity is not on a machine.
pub const IDENTITY_NOT_FOUND: &str = "Identity not found";

/// The text of IMDS for a request that must name one of several identities.
pub const SEVERAL_IDENTITIES: &str = "Multiple user assigned identities exist, please specify \
     the clientId / resourceId of the identity in the token request";

impl Refusal {
    /// A word for metrics and logs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::HostNetwork => "HostNetwork",
            Self::Completed => "Completed",
            Self::NotBound => "NotBound",
            Self::NotItsIdentity(_) => "NotItsIdentity",
            Self::UnknownObjectId(_) => "UnknownObjectId",
            Self::Ambiguous(_) => "Ambiguous",
            Self::ServicePrincipal(_) => "ServicePrincipal",
            Self::NoClientId(_) => "NoClientId",
            Self::MalformedResourceId(_) => "MalformedResourceId",
        }
    }

    /// `error_description` of the 400 `invalid_request` the pod is answered: the words of IMDS
    /// where it has any, because SDKs look for them.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self {
            Self::HostNetwork
            | Self::Completed
            | Self::NotBound
            | Self::NotItsIdentity(_)
            | Self::NoClientId(_)
            | Self::MalformedResourceId(_) => IDENTITY_NOT_FOUND,
            Self::Ambiguous(_) => SEVERAL_IDENTITIES,
            Self::UnknownObjectId(_) => {
                "podid does not know identities by object_id; name it by client_id or msi_res_id"
            }
            Self::ServicePrincipal(_) => {
                "the AzureIdentity is a service principal (type 1 or 2); this release of podid \
                 serves user-assigned identities (type 0) only"
            }
        }
    }
}

/// For the person who asks why.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostNetwork => f.write_str("the pod uses the node's network"),
            Self::Completed => f.write_str("the pod has completed"),
            Self::NotBound => f.write_str(
                "no AzureIdentityBinding gives the pod an identity; compare its label \
                 aadpodidbinding with the bindings' selectors, namespaces and service accounts",
            ),
            Self::NotItsIdentity(asked) => {
                write!(f, "the pod asked for {asked:?}, which is not bound to it")
            }
            Self::UnknownObjectId(id) => write!(f, "identities are not known by object id ({id})"),
            Self::Ambiguous(bound) => {
                write!(
                    f,
                    "the pod named no identity and has several: {}",
                    bound.join(", ")
                )
            }
            Self::ServicePrincipal(name) => {
                write!(
                    f,
                    "AzureIdentity {name} is a service principal; only type 0 is served"
                )
            }
            Self::NoClientId(name) => write!(f, "AzureIdentity {name} has no clientID"),
            Self::MalformedResourceId(name) => write!(
                f,
                "the resourceID of AzureIdentity {name} is not the ARM id of a user-assigned identity"
            ),
        }
    }
}

/// Decides on a request.
#[must_use]
pub fn resolve(facts: &Facts<'_>, selector: &Selector) -> Decision {
    match pick(facts, selector) {
        Ok(Pick::Excepted(exception)) => {
            Decision::PassThrough(exception.namespace.clone(), exception.name.clone())
        }
        Ok(Pick::Identity(identity)) if is_assigned(facts, identity) => {
            Decision::Serve(identity.clone())
        }
        Ok(Pick::Identity(identity)) => Decision::Wait(identity.clone()),
        Err(refusal) => Decision::Refuse(refusal),
    }
}

enum Pick<'a> {
    Excepted(&'a Exception),
    Identity(&'a Identity),
}

fn pick<'a>(facts: &Facts<'a>, selector: &Selector) -> Result<Pick<'a>, Refusal> {
    let caller = facts.caller;
    if caller.host_network {
        return Err(Refusal::HostNetwork);
    }
    if caller.completed {
        return Err(Refusal::Completed);
    }
    let exceptions = facts.exceptions.iter();
    if let Some(exception) = exceptions
        .filter(|exception| exception.excepts(caller))
        .min()
    {
        return Ok(Pick::Excepted(exception));
    }
    let bound = binding::identities_of(&caller.pod, facts.bindings, facts.identities, facts.reach);
    if bound.is_empty() {
        return Err(Refusal::NotBound);
    }
    if let Selector::ObjectId(id) = selector {
        return Err(Refusal::UnknownObjectId(id.clone()));
    }
    only_one(bound, selector)
        .and_then(servable)
        .map(Pick::Identity)
}

/// The one identity that the selector names. Two AzureIdentities may describe one identity of
/// Azure; either does, so the first in order is taken.
fn only_one<'a>(bound: Vec<&'a Identity>, selector: &Selector) -> Result<&'a Identity, Refusal> {
    let named: Vec<&Identity> = bound
        .into_iter()
        .filter(|one| selector.names(one))
        .collect();
    let Some(first) = named.first().copied() else {
        return Err(Refusal::NotItsIdentity(selector.clone()));
    };
    let ids: BTreeSet<String> = named
        .iter()
        .map(|identity| identity.client_id.to_ascii_lowercase())
        .collect();
    match ids.len() {
        1 => Ok(first),
        _ => Err(Refusal::Ambiguous(
            named.into_iter().map(full_name).collect(),
        )),
    }
}

fn servable(identity: &Identity) -> Result<&Identity, Refusal> {
    match identity.kind {
        IdentityKind::Managed if identity.client_id.is_empty() => {
            Err(Refusal::NoClientId(full_name(identity)))
        }
        IdentityKind::Managed if IdentityId::parse(&identity.resource_id).is_none() => {
            Err(Refusal::MalformedResourceId(full_name(identity)))
        }
        IdentityKind::Managed => Ok(identity),
        IdentityKind::ServicePrincipalSecret | IdentityKind::ServicePrincipalCertificate => {
            Err(Refusal::ServicePrincipal(full_name(identity)))
        }
    }
}

fn is_assigned(facts: &Facts<'_>, identity: &Identity) -> bool {
    facts.assignments.iter().any(|assignment| {
        assignment.state == AssignmentState::Assigned
            && assignment.pod_uid == facts.caller.pod.uid
            && assignment.namespace == identity.namespace
            && assignment.identity == identity.name
    })
}

fn full_name(identity: &Identity) -> String {
    format!("{}/{}", identity.namespace, identity.name)
}

#[cfg(test)]
mod tests;
