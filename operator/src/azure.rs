//! Azure as the controllers see it, and ids between `podid-core` and `podid-azure`.

use std::path::PathBuf;
use std::sync::Arc;

use podid_azure::{
    Arm, ArmCompute, ArmIdentities, ArmRoleAssignments, ArmSubscriptions, AzureError, Compute,
    Credential, CredentialOptions, Endpoints, EndpointsError, Identities, IdentityId,
    RoleAssignments, Secret, Subscriptions, Transport, TransportError, TransportOptions,
};
use podid_core::arm::ArmId;
use podid_runtime::process::chain;

use crate::args::{AzureArgs, CredentialKind};
use crate::gate::Gate;

/// Text of an error: what failed on which resource, the next step, then Azure's answer, which may be long: an
/// Event is cut at its end.
pub(crate) fn advice(error: &AzureError) -> String {
    let (text, step) = (chain(error), error.next_step());
    let Some(attempt) = error.attempt() else {
        return format!("{text}; {step}");
    };
    let rest = text.strip_prefix(&attempt).unwrap_or(&text);
    format!(
        "{attempt} failed: {step}. {}",
        rest.trim_start_matches(": ")
    )
}

/// The operator's access to Azure.
#[derive(Clone, Debug)]
pub struct Azure {
    /// User-assigned identities.
    pub identities: Arc<dyn Identities>,
    /// Role assignments.
    pub roles: Arc<dyn RoleAssignments>,
    /// Subscriptions and resource groups.
    pub subscriptions: Arc<dyn Subscriptions>,
    /// Identities of VMs and scale sets.
    pub compute: Arc<dyn Compute>,
}

/// Why Azure cannot be reached with the given flags.
#[derive(Debug, thiserror::Error)]
pub enum AzureSetupError {
    /// A flag that the chosen credential needs is missing.
    #[error("--credential {credential} needs {flag}")]
    Missing {
        /// The chosen credential.
        credential: &'static str,
        /// The missing flag.
        flag: &'static str,
    },
    /// The password cannot be read.
    #[error("cannot read the client secret from {path}")]
    Secret {
        /// File it should be in.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// An address is malformed.
    #[error("an Azure address cannot be used")]
    Endpoints(#[from] EndpointsError),
    /// The HTTP client cannot be made.
    #[error("the client for Azure cannot be made")]
    Transport(#[from] TransportError),
    /// The credential cannot be used.
    #[error("the operator cannot prove to Azure who it is; check --credential and its flags")]
    Credential(#[from] AzureError),
}

/// Makes the clients for the given flags, behind the gate; nothing is sent yet.
///
/// # Errors
/// A flag is missing or malformed, or a file cannot be read.
pub fn connect(args: &AzureArgs, gate: Gate) -> Result<(Azure, Arm), AzureSetupError> {
    let mut endpoints = Endpoints::of(args.cloud);
    if let Some(url) = &args.arm_endpoint {
        endpoints = endpoints.with_arm(url)?;
    }
    if let Some(url) = &args.authority_host {
        endpoints = endpoints.with_authority(url)?;
    }
    let options = TransportOptions {
        extra_ca_file: args.ca_file.clone(),
        ..TransportOptions::default()
    };
    let transport = Transport::new(&options)?;
    let credential = Credential::new(credential(args)?, &endpoints, &transport)?;
    let arm = Arm::new(endpoints, transport, credential, Arc::new(gate));
    let azure = Azure {
        identities: Arc::new(ArmIdentities::new(&arm)),
        roles: Arc::new(ArmRoleAssignments::new(&arm)),
        subscriptions: Arc::new(ArmSubscriptions::new(&arm)),
        compute: Arc::new(ArmCompute::new(&arm)),
    };
    Ok((azure, arm))
}

fn credential(args: &AzureArgs) -> Result<CredentialOptions, AzureSetupError> {
    let kind = match args.credential {
        CredentialKind::WorkloadIdentity => "workload-identity",
        CredentialKind::ManagedIdentity => "managed-identity",
        CredentialKind::ClientSecret => "client-secret",
    };
    let missing = |flag| {
        move || AzureSetupError::Missing {
            credential: kind,
            flag,
        }
    };
    let tenant_id = || args.tenant_id.clone().ok_or_else(missing("--tenant-id"));
    let client_id = || args.client_id.clone().ok_or_else(missing("--client-id"));
    Ok(match args.credential {
        CredentialKind::WorkloadIdentity => CredentialOptions::WorkloadIdentity {
            tenant_id: tenant_id()?,
            client_id: client_id()?,
            token_file: args.federated_token_file.clone(),
        },
        CredentialKind::ManagedIdentity => CredentialOptions::ManagedIdentity {
            client_id: args.client_id.clone(),
        },
        CredentialKind::ClientSecret => {
            let path = args
                .client_secret_file
                .clone()
                .ok_or_else(missing("--client-secret-file"))?;
            let secret = std::fs::read_to_string(&path)
                .map_err(|source| AzureSetupError::Secret { path, source })?;
            CredentialOptions::ClientSecret {
                tenant_id: tenant_id()?,
                client_id: client_id()?,
                secret: Secret::new(secret.trim()),
            }
        }
    })
}

/// The id of a managed identity as `podid-azure` has it; `None` when it is the id of anything else. It never is
/// for an id that core takes for one of a managed identity ([`ManagedIdentityId::parse`]).
///
/// [`ManagedIdentityId::parse`]: podid_core::arm::ManagedIdentityId::parse
#[must_use]
pub fn identity_id(id: &ArmId) -> Option<IdentityId> {
    id.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use podid_azure::{Operation, Reply};
    use podid_core::arm::ManagedIdentityId;

    use super::*;

    #[test]
    fn a_text_names_the_resource_then_the_step_then_azures_answer() {
        let reply = Reply::new(404, "ResourceGroupNotFound", "No such group.");
        let refused = AzureError::refused(Operation::PutIdentity, "/subscriptions/s/x", reply);
        let text = advice(&refused);
        let start = "writing identity /subscriptions/s/x failed: create the resource group or correct its \
                     name. Azure answered 404 ";
        assert!(text.starts_with(start), "{text}");
        assert!(text.ends_with("No such group."), "{text}");
        let credential = AzureError::Credential {
            kind: "client-secret",
            source: "empty".into(),
        };
        let text = advice(&credential);
        let start =
            "the client-secret credential cannot be used: empty; check the credential's settings";
        assert!(text.starts_with(start), "{text}");
    }

    #[test]
    fn what_core_takes_for_the_id_of_an_identity_can_be_sent_to_azure() {
        let id = "/subscriptions/S/resourcegroups/G.1/providers/microsoft.managedidentity/userassignedidentities/n";
        let spellings = [
            id.to_owned(),
            id.to_uppercase(),
            format!("{id}/"),
            id.replace("G.1", "g-(1)_"),
        ];
        for text in spellings {
            let id = ArmId::new(text);
            let read = ManagedIdentityId::parse(&id).expect("an identity");
            let sent = identity_id(&id).map(|id| ArmId::new(id.to_string()));
            assert_eq!(sent, Some(read.arm_id()), "{id}");
        }
        for odd in [
            "",
            "/x",
            "/subscriptions/s",
            &id.replace("/n", "/"),
            &format!("{id}/a"),
        ] {
            let id = ArmId::new(odd);
            assert!(ManagedIdentityId::parse(&id).is_none(), "{id}");
            assert!(identity_id(&id).is_none(), "{id}");
        }
    }

    #[test]
    fn every_attempt_is_the_beginning_of_the_text() {
        let (operation, resource) = (Operation::GetIdentity, "/x y".to_owned());
        let bad = AzureError::BadResource {
            operation,
            resource: resource.clone(),
        };
        let not_sent = AzureError::NotSent {
            operation,
            resource,
            source: "not the leader".into(),
            retry_after: None,
            next_step: "wait".into(),
        };
        for error in [bad, not_sent] {
            let text = advice(&error);
            let attempt = error.attempt().expect("something was tried");
            assert!(text.starts_with(&format!("{attempt} failed: ")), "{text}");
            assert_eq!(text.matches(&attempt).count(), 1, "{text}");
        }
    }
}
