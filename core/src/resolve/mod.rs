//! The decision about a token request of a pod; the node daemon answers according to it.
//!
//! ```text
//! pod of a kind that is served? ── no ──► Refuse
//!   │ excepted by labels? ── yes ──► PassThrough
//!   │ identities bound to it (binding::BoundIdentities); the pod breaks their rule? ── yes ──► Refuse
//!   │   none ──► Refuse      selector picks one of them? ── no ──► Refuse
//!   │                        none asked for, several bound ──► Refuse
//!   ▼ one identity
//! type 0? on the target? ── not yet ──► Wait
//!                         ── Azure or podid refused it ──► Refuse
//!   ▼
//! Serve, from the source of its backend
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::arm::{ArmId, ManagedIdentityId};
use crate::assigned_identity::{AssignedIdentity, AssignmentFailure, AssignmentState};
use crate::binding::{
    AzureIdentity, AzureIdentityType, Binding, BindingScope, BoundIdentities, Pod,
};
use crate::net_raw::{self, Breach};

/// The pod that sent a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallingPod {
    /// The fields that bind it to identities.
    pub pod: Pod,
    /// All its labels, for exceptions.
    pub labels: BTreeMap<String, String>,
    /// Whether it shares the node's network, so that it cannot be distinguished from the node.
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
    fn excepts(&self, caller: &CallingPod) -> bool {
        !self.labels.is_empty()
            && self.namespace == caller.pod.namespace
            && self
                .labels
                .iter()
                .all(|(key, value)| caller.labels.get(key) == Some(value))
    }
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
    fn names(&self, identity: &AzureIdentity) -> bool {
        match self {
            Self::Only => true,
            Self::ClientId(id) => identity.client_id.eq_ignore_ascii_case(id),
            Self::ObjectId(id) => {
                let known = identity.principal_id.as_ref();
                known.is_some_and(|known| known.eq_ignore_ascii_case(id))
            }
            Self::ResourceId(id) => identity.resource_id == *id,
        }
    }
}

/// The objects that a decision depends on. Objects that do not concern the pod have no effect.
#[derive(Clone, Copy, Debug)]
pub struct ResolveInput<'a> {
    /// The pod that sent the request.
    pub caller: &'a CallingPod,
    /// AzureIdentityBindings.
    pub bindings: &'a [Binding],
    /// AzureIdentities.
    pub identities: &'a [AzureIdentity],
    /// AzurePodIdentityExceptions.
    pub exceptions: &'a [Exception],
    /// AzureAssignedIdentities.
    pub assignments: &'a [AssignedIdentity],
    /// Which namespaces the pods of a binding may be in.
    pub scope: BindingScope,
}

/// Where the token of a pod comes from, with the data that this source needs. The backend of the
/// AzureIdentity determines it; see docs/decisions/token-sources.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TokenSource {
    /// The node's metadata service: the identity is assigned to the VM or scale set under the pod.
    NodeImds {
        /// The identity that the token must be of.
        identity: AzureIdentity,
    },
}

impl TokenSource {
    /// The AzureIdentity that the token is of.
    #[must_use]
    pub fn identity(&self) -> &AzureIdentity {
        match self {
            Self::NodeImds { identity } => identity,
        }
    }
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TokenDecision {
    /// A token from this source.
    Serve(TokenSource),
    /// The identity is the pod's but not on the target yet: decide again when assignments change.
    Wait(AzureIdentity),
    /// The node's own metadata service answers, because of the exception of this namespace and name.
    PassThrough(String, String),
    /// No token, for this reason.
    Refuse(TokenRefusal),
}

/// Why a pod gets no token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TokenRefusal {
    /// It uses the node's network.
    HostNetwork,
    /// All its containers have ended.
    Completed,
    /// No binding gives it any identity.
    NotBound,
    /// The request names an identity that is not among the pod's.
    NotItsIdentity(Selector),
    /// The pod is bound, by this binding (namespace/name), to an AzureIdentity (name) that does not
    /// exist.
    MissingIdentity(String, String),
    /// The pod breaks the rule that its profile sets (`netRaw: Enforce`), in these ways.
    BreaksNetRawRule(BTreeSet<Breach>),
    /// The AzureIdentity (namespace/name) cannot be assigned to the target under the pod.
    AssignmentFailed(String, AssignmentFailure),
    /// The request names an identity by its object id, and a hand-written AzureIdentity has no object id
    /// to compare.
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

/// The text by which SDKs recognise that a VM does not have an identity.
pub const IDENTITY_NOT_FOUND: &str = "Identity not found";

/// The text of IMDS for a request that must name one of several identities.
pub const SEVERAL_IDENTITIES: &str = "Multiple user assigned identities exist, please specify \
     the clientId / resourceId of the identity in the token request";

impl TokenRefusal {
    /// Value of the metrics label and of the log field; the set is closed.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::HostNetwork => "HostNetwork",
            Self::Completed => "Completed",
            Self::NotBound => "NotBound",
            Self::NotItsIdentity(_) => "NotItsIdentity",
            Self::MissingIdentity(..) => "MissingIdentity",
            Self::BreaksNetRawRule(_) => "BreaksNetRawRule",
            Self::AssignmentFailed(..) => "AssignmentFailed",
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
            | Self::MissingIdentity(..)
            | Self::AssignmentFailed(..)
            | Self::NoClientId(_)
            | Self::MalformedResourceId(_) => IDENTITY_NOT_FOUND,
            Self::Ambiguous(_) => SEVERAL_IDENTITIES,
            Self::BreaksNetRawRule(_) => {
                "the pod's profile asks for netRaw: Enforce, and the pod does not drop NET_RAW or has \
                 rights that come to the same; see the pod's Events"
            }
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

/// The text for logs, for people who look for the cause.
impl fmt::Display for TokenRefusal {
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
            Self::MissingIdentity(binding, identity) => write!(
                f,
                "AzureIdentityBinding {binding} binds the pod to AzureIdentity {identity}, which does \
                 not exist in its namespace; create it, or correct spec.azureIdentity"
            ),
            Self::BreaksNetRawRule(breaches) => write!(
                f,
                "the pod's profile asks for netRaw: Enforce, but {}; in the pod's template, {}",
                net_raw::describe(breaches),
                net_raw::remedy(breaches)
            ),
            Self::AssignmentFailed(identity, AssignmentFailure { reason, message }) => write!(
                f,
                "AzureIdentity {identity} cannot be put on the pod's node ({reason}): {message}"
            ),
            Self::UnknownObjectId(id) => write!(
                f,
                "the pod asked for object id {id}, and an AzureIdentity that was written by hand does \
                 not tell its own"
            ),
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
            Self::NoClientId(name) => write!(
                f,
                "AzureIdentity {name} has no clientID; set spec.clientID to that of its resourceID"
            ),
            Self::MalformedResourceId(name) => write!(
                f,
                "the resourceID of AzureIdentity {name} is not the ARM id of a user-assigned identity"
            ),
        }
    }
}

/// Decides about a request.
#[must_use]
pub fn resolve(facts: &ResolveInput<'_>, selector: &Selector) -> TokenDecision {
    match pick(facts, selector) {
        Ok(Pick::Excepted(exception)) => {
            TokenDecision::PassThrough(exception.namespace.clone(), exception.name.clone())
        }
        Ok(Pick::One(identity)) => assigned(facts, identity),
        Err(refusal) => TokenDecision::Refuse(refusal),
    }
}

enum Pick<'a> {
    Excepted(&'a Exception),
    One(&'a AzureIdentity),
}

fn pick<'a>(facts: &ResolveInput<'a>, selector: &Selector) -> Result<Pick<'a>, TokenRefusal> {
    let caller = facts.caller;
    if caller.host_network {
        return Err(TokenRefusal::HostNetwork);
    }
    if caller.completed {
        return Err(TokenRefusal::Completed);
    }
    let exceptions = facts.exceptions.iter();
    if let Some(exception) = exceptions
        .filter(|exception| exception.excepts(caller))
        .min()
    {
        return Ok(Pick::Excepted(exception));
    }
    let bound = BoundIdentities::of(&caller.pod, facts.bindings, facts.identities, facts.scope);
    if let Some(breaches) = bound.breaches(&caller.pod) {
        return Err(TokenRefusal::BreaksNetRawRule(breaches.clone()));
    }
    if bound.uses.is_empty() {
        let dangling = bound.dangling.first();
        return Err(dangling.map_or(TokenRefusal::NotBound, |binding| {
            let name = format!("{}/{}", binding.namespace, binding.name);
            TokenRefusal::MissingIdentity(name, binding.identity.clone())
        }));
    }
    only_one(&bound, selector).and_then(servable).map(Pick::One)
}

/// The one identity that the selector names. Two AzureIdentities may describe one managed identity. Either
/// is right then, so the first in order is taken.
fn only_one<'a>(
    bound: &BoundIdentities<'a>,
    selector: &Selector,
) -> Result<&'a AzureIdentity, TokenRefusal> {
    let all = || bound.uses.iter().map(|(identity, _)| *identity);
    let named: Vec<&AzureIdentity> = all().filter(|one| selector.names(one)).collect();
    let Some(first) = named.first().copied() else {
        return Err(match selector {
            Selector::ObjectId(id) if all().any(|one| one.principal_id.is_none()) => {
                TokenRefusal::UnknownObjectId(id.clone())
            }
            _ => TokenRefusal::NotItsIdentity(selector.clone()),
        });
    };
    let ids: BTreeSet<String> = named
        .iter()
        .map(|identity| identity.client_id.to_ascii_lowercase())
        .collect();
    match ids.len() {
        1 => Ok(first),
        _ => Err(TokenRefusal::Ambiguous(
            named.into_iter().map(AzureIdentity::full_name).collect(),
        )),
    }
}

fn servable(identity: &AzureIdentity) -> Result<&AzureIdentity, TokenRefusal> {
    match identity.kind {
        AzureIdentityType::Managed if identity.client_id.is_empty() => {
            Err(TokenRefusal::NoClientId(identity.full_name()))
        }
        AzureIdentityType::Managed if ManagedIdentityId::parse(&identity.resource_id).is_none() => {
            Err(TokenRefusal::MalformedResourceId(identity.full_name()))
        }
        AzureIdentityType::Managed => Ok(identity),
        AzureIdentityType::ServicePrincipalSecret
        | AzureIdentityType::ServicePrincipalCertificate => {
            Err(TokenRefusal::ServicePrincipal(identity.full_name()))
        }
    }
}

/// The decision by the AzureAssignedIdentities of this pod and identity.
///
/// An object that was written for another resource id does not count: otherwise an edit of the
/// AzureIdentity would give the pod any identity of the target until the operator has verified the edit.
/// There are several objects only while an old one is replaced. Then `Assigned` counts before the others,
/// and a failure only if nothing else is there.
fn assigned(facts: &ResolveInput<'_>, identity: &AzureIdentity) -> TokenDecision {
    let of_pod = facts.assignments.iter().filter(|assignment| {
        let (namespace, name) = &assignment.identity;
        assignment.pod_uid == facts.caller.pod.uid
            && *namespace == identity.namespace
            && *name == identity.name
            && assignment
                .resource_id
                .as_ref()
                .is_none_or(|id| *id == identity.resource_id)
    });
    let states: BTreeSet<&AssignmentState> = of_pod.map(|assignment| &assignment.state).collect();
    if states.contains(&AssignmentState::Assigned) {
        let identity = identity.clone();
        return TokenDecision::Serve(TokenSource::NodeImds { identity });
    }
    let failure = match states.len() {
        1 => states.first().copied(),
        _ => None,
    };
    match failure {
        Some(AssignmentState::Failed(failure)) => TokenDecision::Refuse(
            TokenRefusal::AssignmentFailed(identity.full_name(), failure.clone()),
        ),
        _ => TokenDecision::Wait(identity.clone()),
    }
}

#[cfg(test)]
mod tests;
