//! Service principals: AzureIdentities of types 1 and 2, whose tokens come from Entra for a password or a certificate
//! that is in a Secret.
//!
//! Whoever may write an AzureIdentity could otherwise have the node daemon send any Secret that it can read to any
//! address. So three things are decided before anything is read or sent: the Secret is of the AzureIdentity's own
//! namespace, a class lets that namespace use service principals, and the same class names the authority.
//!
//! | file | holds |
//! |---|---|
//! | `authority` | the address of an authority, in the one form in which it is compared |
//! | `admit` | whether a service principal may be used, and as what |

mod admit;
mod authority;

use std::collections::BTreeSet;

use serde::Serialize;

pub use admit::{AdmittedPrincipal, ChosenPrincipal, PrincipalRefusal, admit};
pub use authority::{Authority, PUBLIC_AUTHORITY};

/// What a service principal proves itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum CredentialKind {
    /// Type 1.
    Password,
    /// Type 2.
    Certificate,
}

/// A service principal as the author of an AzureIdentity wrote it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ServicePrincipal {
    /// See [`CredentialKind`].
    pub credential: CredentialKind,
    /// `spec.tenantID`
    pub tenant_id: String,
    /// `spec.auxiliaryTenantIDs`
    pub auxiliary_tenant_ids: Vec<String>,
    /// `spec.adEndpoint`; empty for the public cloud's.
    pub authority: String,
    /// Name of the Secret.
    pub secret_name: String,
    /// Namespace of the Secret; empty for that of the AzureIdentity.
    pub secret_namespace: String,
}

/// What one class allows to service principals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PrincipalLimit {
    /// Namespaces by name; `*` stands for all.
    pub namespaces: BTreeSet<String>,
    /// Authorities that their Secrets may be sent to.
    pub authorities: BTreeSet<Authority>,
}

impl PrincipalLimit {
    fn covers(&self, namespace: &str) -> bool {
        self.namespaces.contains("*") || self.namespaces.contains(namespace)
    }
}
