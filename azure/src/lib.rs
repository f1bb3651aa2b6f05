//! The client of Azure: every call that podid makes there, in Azure's own words.
//!
//! | need | trait | made of |
//! |---|---|---|
//! | user-assigned identities | [`Identities`] | `azure_mgmt_msi` |
//! | role assignments | [`RoleAssignments`] | `azure_mgmt_authorization` |
//! | subscriptions and groups | [`Subscriptions`] | our own typed client |
//! | identities of VMs and scale sets | [`Compute`] | our own typed client |
//! | tokens of a node's identities | [`ImdsTokens`] | our own client |
//! | tokens of service principals | [`PrincipalTokens`] | our own client |
//!
//! Decisions are made against the traits, so that callers can be tested with a fake; the
//! implementations share one [`Transport`] and one [`Credential`]. Every failure is an
//! [`AzureError`] (or an [`ImdsError`]) that knows its [class](ErrorClass).
//!
//! Features: `arm` (management and credentials), `imds` and `principals` (tokens on a node, light). All are on
//! by default.

#[cfg(feature = "arm")]
mod absent;
#[cfg(feature = "arm")]
mod arm;
#[cfg(feature = "arm")]
mod compute;
#[cfg(feature = "arm")]
mod credential;
#[cfg(feature = "arm")]
mod endpoints;
#[cfg(any(feature = "arm", feature = "principals"))]
mod entra_text;
#[cfg(feature = "arm")]
mod error;
#[cfg(feature = "arm")]
mod identities;
#[cfg(feature = "arm")]
mod ids;
#[cfg(feature = "imds")]
mod imds;
#[cfg(feature = "principals")]
mod principal;
mod retry_after;
#[cfg(feature = "arm")]
mod roles;
mod secret;
#[cfg(feature = "arm")]
mod subscriptions;
#[cfg(test)]
#[cfg(feature = "arm")]
mod tests;
#[cfg(any(feature = "arm", feature = "principals"))]
mod transport;

pub use secret::Secret;

#[cfg(feature = "imds")]
pub use imds::{
    ClientHeaders, Imds, ImdsError, ImdsIdentity, ImdsOptions, ImdsToken, ImdsTokenRequest,
    ImdsTokens,
};

#[cfg(feature = "principals")]
pub use principal::{
    CertificateError, ClientCertificate, PrincipalCredential, PrincipalError,
    PrincipalTokenRequest, PrincipalTokens, Principals,
};
#[cfg(any(feature = "arm", feature = "principals"))]
pub use transport::{Transport, TransportError, TransportOptions};

#[cfg(feature = "arm")]
pub use {
    absent::Deleted,
    arm::{Arm, ArmCall, ArmGate, GateDecision, GateRefusal, OpenGate, Operation},
    compute::{
        ArmCompute, Compute, ComputeIdentity, ComputeTarget, IdentityPatch, ResourceIdentityType,
    },
    credential::{Credential, CredentialOptions, Token},
    endpoints::{AzureCloud, Endpoints, EndpointsError},
    error::{AzureError, ErrorClass, Reply, ReplyDetail, Result},
    identities::{ArmIdentities, Identities, UserAssignedIdentity, UserAssignedIdentitySpec},
    ids::{IdentityId, ParseIdError, ResourceGroupId},
    roles::{
        ArmRoleAssignments, RoleAssignment, RoleAssignmentSpec, RoleAssignments, RoleDefinition,
    },
    subscriptions::{ArmSubscriptions, Location, ResourceGroup, Subscription, Subscriptions},
};
