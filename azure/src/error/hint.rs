use super::{AzureError, ErrorClass};

/// What a person can do, by code where one is known, else by class.
pub(super) fn next_step(error: &AzureError) -> String {
    if let Some(step) = error.code().and_then(for_code) {
        return step.to_owned();
    }
    match error {
        AzureError::NoAnswer { host, .. } => format!(
            "check that {host} can be reached from here: DNS, firewall, proxy, and the \
             certificate authority if the address was changed"
        ),
        AzureError::NoToken { reply: None, .. } | AzureError::Credential { .. } => {
            "check the credential's settings: tenant id, client id, and that the token file or \
             IMDS is there"
                .to_owned()
        }
        AzureError::BadResource { .. } => "correct the id or scope".to_owned(),
        // ARM gives each of its refusals a code.
        AzureError::Refused { reply, .. } if reply.status == 404 && reply.code.is_empty() => {
            format!(
                "{}; nothing is taken for deleted before Azure itself says so",
                for_class(ErrorClass::Unexpected)
            )
        }
        _ => for_class(error.class()).to_owned(),
    }
}

fn for_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "AuthorizationFailed" => {
            "grant the operator's identity a role with the action named above on that scope; a \
             new grant takes up to ten minutes to act"
        }
        "LinkedAuthorizationFailed" => {
            "grant the operator Managed Identity Operator on the identities named above, or \
             remove those that no longer exist"
        }
        "FailedIdentityOperation" => "see which identity the text names; it may have been deleted",
        "PrincipalNotFound" => "wait: the directory has not replicated the new identity yet",
        "ResourceGroupNotFound" => "create the resource group or correct its name",
        "SubscriptionNotFound" => "correct the subscription id, or give the operator access to it",
        "RoleAssignmentLimitExceeded" => "remove role assignments that are no longer used",
        "RoleDefinitionDoesNotExist" => "correct the role's name or id",
        "ScopeLocked" => "remove the lock, or exempt this resource from it",
        "RequestDisallowedByPolicy" => "ask who owns the Azure Policy named above for an exemption",
        "MissingSubscriptionRegistration" => {
            "register the resource provider named above in the subscription"
        }
        "InvalidAuthenticationTokenAudience" => {
            "check the cloud and the ARM audience in the settings"
        }
        "InvalidAuthenticationTokenTenant" => "check the tenant id in the settings",
        "AADSTS70021" | "AADSTS700211" | "AADSTS700212" | "AADSTS700213" => {
            "compare issuer, subject and audience of the federated credential with the service \
             account; a new one takes some minutes to act"
        }
        "AADSTS50166" | "AADSTS501661" | "AADSTS90061" | "AADSTS7000272" => {
            "check that Entra can read the issuer's OpenID configuration and keys"
        }
        "AADSTS7000215" => "give the secret's value, not its id",
        "AADSTS7000222" => "make a new client secret: this one has expired",
        "AADSTS700016" => "check the client id and the tenant id; the identity may be deleted",
        "AADSTS90002" | "AADSTS900023" => "check the tenant id",
        "AADSTS700024" => "check the clock, and that the service account token is renewed",
        _ => return None,
    })
}

fn for_class(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Throttled { .. } => "wait; Azure limits how often it may be called",
        ErrorClass::Transient => "wait and try again; see Azure's status page if it lasts",
        ErrorClass::Propagating => "wait some minutes; Azure has not replicated a change yet",
        ErrorClass::NotFound => "check that it exists and that its name is right",
        ErrorClass::Conflict | ErrorClass::PreconditionFailed => {
            "try again: somebody else is changing it"
        }
        ErrorClass::Forbidden => "give the operator's identity the right that Azure names",
        ErrorClass::Unauthenticated => "check the operator's credential",
        ErrorClass::Invalid => "correct what Azure names",
        ErrorClass::Unexpected => "check that the address is Azure's and that no proxy answers",
    }
}
