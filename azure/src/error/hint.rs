use super::{AzureError, ErrorClass};

impl AzureError {
    /// What a person can do about it, in a sentence.
    pub fn next_step(&self) -> String {
        next_step(self)
    }
}

/// The step for the code where there is one, else for the class.
fn next_step(error: &AzureError) -> String {
    match error.code() {
        Some("AuthorizationFailed") if forbidden_by_condition(error) => {
            return BY_CONDITION.to_owned();
        }
        Some("AuthorizationFailed") => return grant_action(error),
        Some("LinkedAuthorizationFailed") => return grant_on_identities(error),
        Some("FailedIdentityOperation") => return check_identities(error),
        code => {
            if let Some(step) = code.and_then(for_code) {
                return step.to_owned();
            }
        }
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
        AzureError::NotSent { next_step, .. } => next_step.clone(),
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

/// Longest words of Azure's text that are repeated in a step.
const MAX_WORD: usize = 300;
/// Most identities that a step names.
const MAX_NAMED: usize = 2;

/// The role with the action is there, but with a condition: another role would not be the least.
const BY_CONDITION: &str = "ask for a role that the condition on the operator's right to grant roles names, or renew \
     that condition with what `podid azure-role` prints for the class";

fn forbidden_by_condition(error: &AzureError) -> bool {
    let text = error.reply().map_or("", |reply| reply.message.as_str());
    text.contains("ABAC condition that is not fulfilled")
}

fn grant_action(error: &AzureError) -> String {
    let text = error.reply().map_or("", |reply| reply.message.as_str());
    let what = match (quoted_after(text, "action "), quoted_after(text, "scope ")) {
        (Some(action), Some(scope)) => format!("the action {action} on {scope}"),
        _ => "the action and on the scope that Azure's answer names".to_owned(),
    };
    format!(
        "grant the operator's identity a role with {what}; a new grant takes up to ten minutes to act"
    )
}

fn grant_on_identities(error: &AzureError) -> String {
    format!(
        "grant the operator Managed Identity Operator on {}, or remove those that no longer exist",
        identities_named(error)
    )
}

fn check_identities(error: &AzureError) -> String {
    format!(
        "see in Azure whether somebody has deleted {}; podid makes the identity of a profile again by itself; create \
         any other again, or delete the AzureIdentity that names it",
        identities_named(error)
    )
}

/// The identities that Azure's answer names; many are not listed.
fn identities_named(error: &AzureError) -> String {
    let ids = error.named_identities();
    let first = ids.iter().take(MAX_NAMED).map(ToString::to_string);
    let named: Vec<String> = first.collect();
    match ids.len() {
        0 => "the identities that Azure's answer names".to_owned(),
        count if count > MAX_NAMED => format!("{} and others", named.join(", ")),
        _ => named.join(" and "),
    }
}

/// The word in single quotes that follows `lead`, if it is one word.
fn quoted_after<'a>(text: &'a str, lead: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("{lead}'"))?;
    let (word, _) = rest.split_once('\'')?;
    let odd = |c: char| c.is_control() || c.is_whitespace();
    (!word.is_empty() && word.len() <= MAX_WORD && !word.contains(odd)).then_some(word)
}

fn for_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "PrincipalNotFound" => "wait: the directory has not replicated the new identity yet",
        "ResourceGroupNotFound" => "create the resource group or correct its name",
        "SubscriptionNotFound" => "correct the subscription id, or give the operator access to it",
        "RoleAssignmentLimitExceeded" => "remove role assignments that are no longer used",
        "RoleDefinitionDoesNotExist" => "correct the role's name or id",
        "ScopeLocked" => "remove the lock, or exempt this resource from it",
        "RequestDisallowedByPolicy" => {
            "ask the owner of the Azure Policy that Azure's answer names for an exemption"
        }
        "MissingSubscriptionRegistration" => {
            "register in the subscription the resource provider that Azure's answer names"
        }
        "InvalidAuthenticationTokenAudience" => {
            "check the cloud and the address of Azure Resource Manager in the settings"
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
        ErrorClass::HeldBack => "wait; it is sent later",
        ErrorClass::Transient => "wait and try again; see Azure's status page if it lasts",
        ErrorClass::Propagating => "wait some minutes; Azure has not replicated a change yet",
        ErrorClass::NotFound => "check that it exists and that its name is right",
        ErrorClass::Conflict | ErrorClass::PreconditionFailed => {
            "try again: somebody else is changing it"
        }
        ErrorClass::Forbidden => "give the operator's identity the right that Azure's answer names",
        ErrorClass::Unauthenticated => "check the operator's credential",
        ErrorClass::Invalid => "correct what Azure's answer names",
        ErrorClass::Unexpected => "check that the address is Azure's and that no proxy answers",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IdentityId, Operation, Reply};

    fn step(code: &str, message: &str) -> String {
        let reply = Reply::new(403, code, message);
        next_step(&AzureError::refused(
            Operation::PatchComputeIdentity,
            "/x",
            reply,
        ))
    }

    #[test]
    fn a_missing_right_is_named_with_its_scope() {
        let text = "The client 'c' with object id 'o' does not have authorization to perform action \
             'Microsoft.Compute/virtualMachines/read' over scope '/subscriptions/s' or the scope is \
             invalid.";
        assert_eq!(
            step("AuthorizationFailed", text),
            "grant the operator's identity a role with the action \
             Microsoft.Compute/virtualMachines/read on /subscriptions/s; a new grant takes up to ten \
             minutes to act"
        );
        for odd in [
            "",
            "action 'a",
            "action '' over scope ''",
            "scope 's' then action 'a\n'",
        ] {
            let step = step("AuthorizationFailed", odd);
            assert!(
                step.contains("the action and on the scope that Azure's answer names"),
                "{odd}: {step}"
            );
        }
    }

    #[test]
    fn a_condition_that_forbids_is_named_instead_of_a_right_that_is_there() {
        let text = "The client 'c' with object id 'o' has an authorization with ABAC condition that is not \
             fulfilled to perform action 'Microsoft.Authorization/roleAssignments/write' over scope '/x'.";
        let step = step("AuthorizationFailed", text);
        assert_eq!(step, BY_CONDITION);
    }

    #[test]
    fn the_identities_to_be_granted_are_named_and_many_are_not() {
        let id = |number: usize| IdentityId::new("s", "g", format!("i{number}")).to_string();
        let linked = |count: usize| {
            let ids: Vec<String> = (0..count).map(id).collect();
            step(
                "LinkedAuthorizationFailed",
                &format!("linked scope(s) '{}' or", ids.join(",")),
            )
        };
        assert_eq!(
            linked(2),
            format!(
                "grant the operator Managed Identity Operator on {} and {}, or remove those that no \
                 longer exist",
                id(0),
                id(1)
            )
        );
        assert!(linked(100).contains(" and others, or"), "{}", linked(100));
        assert!(linked(100).len() < 500);
        assert!(
            linked(0).contains("on the identities that Azure's answer names, or"),
            "{}",
            linked(0)
        );
    }

    #[test]
    fn the_identities_that_may_be_deleted_are_named() {
        let id = IdentityId::new("s", "g", "web").to_string();
        let text = format!("The specified identity '{id}' could not be found.");
        assert_eq!(
            step("FailedIdentityOperation", &text),
            format!(
                "see in Azure whether somebody has deleted {id}; podid makes the identity of a profile again by \
                 itself; create any other again, or delete the AzureIdentity that names it"
            )
        );
    }

    #[test]
    fn nothing_is_said_to_stand_above_what_comes_first() {
        for code in [
            "AuthorizationFailed",
            "LinkedAuthorizationFailed",
            "RequestDisallowedByPolicy",
            "MissingSubscriptionRegistration",
        ] {
            let step = step(code, "no");
            assert!(!step.contains("above"), "{step}");
        }
    }
}
