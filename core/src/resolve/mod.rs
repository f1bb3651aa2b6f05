//! The decision about a token request of a pod; the node daemon answers according to it.
//!
//! ```text
//! pod of a kind that is served? ── no ──► Refuse
//!   │ excepted by labels? ── yes ──► PassThrough
//!   │ identities bound to it (binding::BoundIdentities); the pod breaks their rule? ── yes ──► Refuse
//!   │   none ──► Refuse      selector picks one of them? ── no ──► Refuse
//!   │                        none asked for, several bound ──► Refuse
//!   ▼ one identity
//! written by hand, where such are not served? ── yes ──► Refuse
//! type 0? on the target? ── not yet ──► Wait
//!                         ── Azure or podid refused it ──► Refuse
//! type 1, 2? its Secret and its authority allowed? ── no ──► Refuse
//!   ▼
//! Serve, from the source of its backend or type
//! ```

mod issuing;
mod refusal;
mod selector;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use issuing::{
    IMDS_LAG, UnknownIdentity, is_token_of, may_pass_through, profile_client_ids, wait_for_imds,
};
pub use refusal::{IDENTITY_NOT_FOUND, SEVERAL_IDENTITIES, TokenRefusal};
pub use selector::Selector;

use crate::arm::ManagedIdentityId;
use crate::assigned_identity::{AssignedIdentity, AssignmentState};
use crate::binding::{
    AzureIdentity, AzureIdentityType, Binding, BoundIdentities, OtherAccount, Pod, ServingRules,
};
use crate::service_principal::{AdmittedPrincipal, PrincipalLimit, ServicePrincipal, admit};

/// The pod that sent a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallingPod {
    /// The fields that bind it to identities.
    pub pod: Pod,
    /// All its labels, for exceptions.
    pub labels: BTreeMap<String, String>,
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
    pub assigned_identities: &'a [AssignedIdentity],
    /// What the cluster's administrator says.
    pub rules: ServingRules,
    /// What each class allows to service principals.
    pub principal_limits: &'a [PrincipalLimit],
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
    /// Entra, for a password or certificate from a Secret: the identity is a service principal.
    Entra {
        /// The identity that the token must be of.
        identity: AzureIdentity,
        /// How it is asked for.
        principal: AdmittedPrincipal,
    },
}

impl TokenSource {
    /// The AzureIdentity that the token is of.
    #[must_use]
    pub fn identity(&self) -> &AzureIdentity {
        match self {
            Self::NodeImds { identity } | Self::Entra { identity, .. } => identity,
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

/// Decides about a request.
#[must_use]
pub fn resolve(facts: &ResolveInput<'_>, selector: &Selector) -> TokenDecision {
    match pick(facts, selector) {
        Ok(Pick::Excepted(exception)) => {
            TokenDecision::PassThrough(exception.namespace.clone(), exception.name.clone())
        }
        Ok(Pick::One(identity)) => match &identity.kind {
            AzureIdentityType::Managed => assigned(facts, identity),
            AzureIdentityType::ServicePrincipal(principal) => admitted(facts, identity, principal),
        },
        Err(refusal) => TokenDecision::Refuse(refusal),
    }
}

enum Pick<'a> {
    Excepted(&'a Exception),
    One(&'a AzureIdentity),
}

fn pick<'a>(facts: &ResolveInput<'a>, selector: &Selector) -> Result<Pick<'a>, TokenRefusal> {
    let caller = facts.caller;
    if let Some(kind) = caller.pod.unserved {
        return Err(TokenRefusal::Unserved(kind));
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
    let bound = BoundIdentities::of(&caller.pod, facts.bindings, facts.identities, facts.rules);
    if let Some(breaches) = bound.breaches(&caller.pod) {
        return Err(TokenRefusal::BreaksNetRawRule(breaches.clone()));
    }
    if bound.uses.is_empty() {
        return Err(unbound(&bound, &caller.pod));
    }
    let one = only_one(&bound, selector)?;
    if facts.rules.legacy.refuses_on_nodes(one) {
        return Err(TokenRefusal::HandWritten(one.full_name()));
    }
    servable(one).map(Pick::One)
}

/// Why a pod is bound to nothing.
fn unbound(bound: &BoundIdentities<'_>, pod: &Pod) -> TokenRefusal {
    if let Some(binding) = bound.dangling.first() {
        let name = format!("{}/{}", binding.namespace, binding.name);
        return TokenRefusal::IdentityMissing(name, binding.identity.clone());
    }
    match bound.narrowed.first() {
        Some(binding) => {
            TokenRefusal::OtherServiceAccount(Box::new(OtherAccount::of(binding, pod)))
        }
        None => TokenRefusal::NotBound,
    }
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
    if identity.client_id.is_empty() {
        return Err(TokenRefusal::NoClientId(identity.full_name()));
    }
    match &identity.kind {
        AzureIdentityType::Managed if ManagedIdentityId::parse(&identity.resource_id).is_none() => {
            Err(TokenRefusal::MalformedResourceId(identity.full_name()))
        }
        AzureIdentityType::Managed | AzureIdentityType::ServicePrincipal(_) => Ok(identity),
    }
}

/// The decision about a service principal. Nothing is assigned for one, so none is waited for.
fn admitted(
    facts: &ResolveInput<'_>,
    identity: &AzureIdentity,
    principal: &ServicePrincipal,
) -> TokenDecision {
    match admit(principal, &identity.namespace, facts.principal_limits) {
        Ok(principal) => TokenDecision::Serve(TokenSource::Entra {
            identity: identity.clone(),
            principal,
        }),
        Err(refusal) => TokenDecision::Refuse(TokenRefusal::ServicePrincipal(
            identity.full_name(),
            refusal,
        )),
    }
}

/// The decision by the AzureAssignedIdentities of this pod and identity.
///
/// An object that was written for another resource id, or for none, does not count: otherwise an edit of the
/// AzureIdentity would give the pod any identity of the target until the operator has verified the edit.
/// There are several objects only while an old one is replaced. Then `Assigned` counts before the others,
/// and a failure only if nothing else is there.
fn assigned(facts: &ResolveInput<'_>, identity: &AzureIdentity) -> TokenDecision {
    let of_pod = facts.assigned_identities.iter().filter(|assignment| {
        let (namespace, name) = &assignment.identity;
        assignment.pod_uid == facts.caller.pod.uid
            && *namespace == identity.namespace
            && *name == identity.name
            && assignment.resource_id.as_ref() == Some(&identity.resource_id)
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
