//! Why a pod gets no token: the text that it is answered, and the text for people.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::selector::Selector;
use crate::assigned_identity::AssignmentFailure;
use crate::binding::{OtherAccount, Unserved};
use crate::net_raw::{self, Breach};
use crate::service_principal::PrincipalRefusal;

/// Why a pod gets no token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TokenRefusal {
    /// No pod of its kind is served.
    Unserved(Unserved),
    /// All its containers have ended.
    Completed,
    /// No binding gives it any identity.
    NotBound,
    /// The request names an identity that is not among the pod's.
    NotItsIdentity(Selector),
    /// The pod is bound, by this binding (namespace/name), to an AzureIdentity (name) that does not
    /// exist.
    IdentityMissing(String, String),
    /// The first binding that selects the pod does not take its service account.
    OtherServiceAccount(Box<OtherAccount>),
    /// The pod breaks the NET_RAW rule of its profile, or of the cluster for hand-written identities, in these ways.
    BreaksNetRawRule(BTreeSet<Breach>),
    /// The AzureIdentity (namespace/name) cannot be assigned to the target under the pod.
    AssignmentFailed(String, AssignmentFailure),
    /// The request names an identity by its object id, and a hand-written AzureIdentity has no object id
    /// to compare.
    UnknownObjectId(String),
    /// The request names none, and these are bound (namespace/name).
    Ambiguous(Vec<String>),
    /// The identity (namespace/name) is a service principal that may not be used.
    ServicePrincipal(String, PrincipalRefusal),
    /// The AzureIdentity (namespace/name) was written by hand, and such are not served.
    HandWritten(String),
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
    /// Value of the metrics label and of the log field, and reason of the Event; the set is closed. The
    /// operator writes its Events about the same causes with the same reasons.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unserved(kind) => kind.reason(),
            Self::Completed => "Completed",
            Self::NotBound => "NotBound",
            Self::NotItsIdentity(_) => "NotItsIdentity",
            Self::IdentityMissing(..) => "IdentityMissing",
            Self::OtherServiceAccount(_) => OtherAccount::REASON,
            Self::BreaksNetRawRule(breaches) => net_raw::reason(breaches),
            Self::AssignmentFailed(..) => "AssignmentFailed",
            Self::UnknownObjectId(_) => "UnknownObjectId",
            Self::Ambiguous(_) => "Ambiguous",
            Self::ServicePrincipal(_, refusal) => refusal.word(),
            Self::HandWritten(_) => "LegacyIdentitiesNotServed",
            Self::NoClientId(_) => "NoClientId",
            Self::MalformedResourceId(_) => "MalformedResourceId",
        }
    }

    /// `error_description` of the 400 `invalid_request` the pod is answered: the words of IMDS
    /// where it has any, because SDKs look for them.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self {
            Self::Unserved(_)
            | Self::Completed
            | Self::NotBound
            | Self::NotItsIdentity(_)
            | Self::IdentityMissing(..)
            | Self::OtherServiceAccount(_)
            | Self::AssignmentFailed(..)
            | Self::HandWritten(_)
            | Self::NoClientId(_)
            | Self::MalformedResourceId(_) => IDENTITY_NOT_FOUND,
            Self::Ambiguous(_) => SEVERAL_IDENTITIES,
            Self::BreaksNetRawRule(_) => {
                "the pod's profile or cluster asks for netRaw: Enforce, and the pod does not drop NET_RAW or has \
                 rights that come to the same; see the pod's Events"
            }
            Self::UnknownObjectId(_) => {
                "no identity of the pod has this object_id; podid knows that of identities of profiles only. Name it by \
                 client_id or msi_res_id"
            }
            Self::ServicePrincipal(..) => {
                "the AzureIdentity is a service principal that may not be used; see the pod's Events"
            }
        }
    }
}

/// The text for logs, for people who look for the cause.
impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unserved(kind) => write!(f, "{kind}; {}", kind.remedy()),
            Self::Completed => f.write_str("the pod has completed"),
            Self::NotBound => f.write_str(
                "no AzureIdentityBinding gives the pod an identity; compare its label \
                 aadpodidbinding with the bindings' selectors and namespaces",
            ),
            Self::NotItsIdentity(asked) => {
                write!(f, "the pod asked for {asked:?}, which is not bound to it")
            }
            Self::IdentityMissing(binding, identity) => write!(
                f,
                "AzureIdentityBinding {binding} binds the pod to AzureIdentity {identity}, which does \
                 not exist in its namespace; create it, or correct spec.azureIdentity"
            ),
            Self::OtherServiceAccount(other) => f.write_str(&other.message()),
            Self::BreaksNetRawRule(breaches) => write!(
                f,
                "the pod's profile or cluster asks for netRaw: Enforce, but {}; in the pod's template, {}",
                net_raw::describe(breaches),
                net_raw::remedy(breaches)
            ),
            Self::AssignmentFailed(identity, AssignmentFailure { reason, message }) => write!(
                f,
                "AzureIdentity {identity} cannot be put on the pod's node ({reason}): {message}"
            ),
            Self::UnknownObjectId(id) => write!(
                f,
                "the pod asked for object id {id}, and a hand-written AzureIdentity contains none to compare; \
                 ask by client_id or msi_res_id"
            ),
            Self::Ambiguous(bound) => {
                write!(
                    f,
                    "the pod asked for no identity by name and has several; ask for one of them: {}",
                    bound.join(", ")
                )
            }
            Self::ServicePrincipal(name, refusal) => {
                write!(
                    f,
                    "AzureIdentity {name} is a service principal, and {refusal}"
                )
            }
            Self::HandWritten(name) => write!(
                f,
                "AzureIdentity {name} was written by hand, and the node daemon serves no such object of its type \
                 (--legacy-identities); write a PodIdentityProfile"
            ),
            Self::NoClientId(name) => write!(
                f,
                "AzureIdentity {name} has no clientID; set spec.clientID to that of its resourceID"
            ),
            Self::MalformedResourceId(name) => write!(
                f,
                "AzureIdentity {name} has a resourceID that is not the ARM id of a user-assigned identity; \
                 correct spec.resourceID"
            ),
        }
    }
}
