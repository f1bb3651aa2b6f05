//! Why an identity is not on a machine: what to do about it, and whether waiting helps.

use std::error::Error;

use podid_azure::{AzureError, ErrorClass};
use podid_core::arm::ArmId;
use podid_core::assigned_identity::AssignmentFailure;
use podid_core::target::Target;

use super::machine::{Next, Trouble};

/// Refusals in a row after which a doubtful one is believed.
const BELIEVED: u32 = 2;

/// Why an identity is not on a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// In words: the next step first.
    pub(super) cause: AssignmentFailure,
    pub(super) outlook: Outlook,
}

/// Whether waiting helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// It does: Azure is busy, ill or out of reach, or we are.
    Passing,
    /// It may: Azure does not know yet everywhere what was just made, and calls it missing.
    Doubtful,
    /// It does not: a person must act.
    Lasting,
}

impl Failure {
    /// The same failure when it was met for this number of times in a row.
    pub(super) fn after(self, attempts: u32) -> Self {
        let believed = self.outlook == Outlook::Doubtful && attempts >= BELIEVED;
        let outlook = if believed {
            Outlook::Lasting
        } else {
            self.outlook
        };
        Self { outlook, ..self }
    }

    /// What to tell the pods, if they are to wait no longer.
    pub(super) fn lasting(&self) -> Option<&AssignmentFailure> {
        (self.outlook == Outlook::Lasting).then_some(&self.cause)
    }
}

/// What an error means to the identity that met it, or to all of a machine.
pub(super) fn failure_of(error: &AzureError, identity: Option<&ArmId>) -> Failure {
    let reason = error.code().unwrap_or_else(|| error.class().as_str());
    let step = error.next_step();
    let names = |id: &&ArmId| step.to_ascii_lowercase().contains(&id.folded());
    let about = identity.filter(|id| !names(id));
    let about = about.map(|id| format!(" ({id})")).unwrap_or_default();
    Failure {
        cause: AssignmentFailure {
            reason: reason.to_owned(),
            message: format!("{step}{about}. {error}"),
        },
        outlook: outlook(error),
    }
}

fn outlook(error: &AzureError) -> Outlook {
    match error.class() {
        // A proxy's page: Azure's own refusals have a code.
        _ if error.code().is_none() => Outlook::Passing,
        ErrorClass::Forbidden => Outlook::Lasting,
        ErrorClass::NotFound | ErrorClass::Invalid => Outlook::Doubtful,
        // Our own credential, or trouble of Azure's: that says nothing about the identity.
        _ => Outlook::Passing,
    }
}

/// Why nothing of what is desired comes on the machine, if that is so; `attempts` is the number of
/// such ends in a row, this one included.
pub(super) fn explain(
    target: &Target,
    result: &Result<Next, Trouble>,
    attempts: u32,
) -> Option<Failure> {
    let failure = match result {
        Ok(Next::Missing) => Failure {
            cause: AssignmentFailure {
                reason: "MachineNotFound".to_owned(),
                message: format!(
                    "correct the node's spec.providerID, or remove the node: Azure has no {target}, \
                     which it names"
                ),
            },
            outlook: Outlook::Lasting,
        },
        Ok(_) => return None,
        Err(trouble) => {
            let error = trouble as &dyn Error;
            tracing::warn!(machine = %target, error, "the machine's identities are not as desired");
            of_trouble(trouble)
        }
    };
    Some(failure.after(attempts))
}

fn of_trouble(trouble: &Trouble) -> Failure {
    match trouble {
        Trouble::Azure(error) => failure_of(error, None),
        Trouble::Ledger(error) => Failure {
            cause: AssignmentFailure {
                reason: "LedgerNotWritten".to_owned(),
                message: format!("see that the operator may write ConfigMaps: {error}"),
            },
            outlook: Outlook::Passing,
        },
    }
}

#[cfg(test)]
mod tests {
    use podid_azure::{Operation, Reply};

    use super::*;

    fn refused(status: u16, code: &str) -> AzureError {
        let reply = Reply::new(status, code, "Azure's own words.");
        AzureError::refused(Operation::PatchComputeIdentity, "/subscriptions/s", reply)
    }

    #[test]
    fn what_waiting_does_not_mend_is_told_from_what_it_does() {
        use Outlook::{Doubtful, Lasting, Passing};
        let table = [
            (403, "LinkedAuthorizationFailed", Lasting),
            (403, "AuthorizationFailed", Lasting),
            (403, "RequestDisallowedByPolicy", Lasting),
            (409, "ScopeLocked", Lasting),
            (400, "FailedIdentityOperation", Doubtful),
            (404, "ResourceNotFound", Doubtful),
            (404, "SubscriptionNotFound", Doubtful),
            (400, "InvalidParameter", Doubtful),
            (401, "ExpiredAuthenticationToken", Passing),
            (409, "Conflict", Passing),
            (412, "PreconditionFailed", Passing),
            (429, "TooManyRequests", Passing),
            (500, "InternalServerError", Passing),
            (503, "", Passing),
            (404, "", Passing),
            (403, "", Passing),
        ];
        for (status, code, expected) in table {
            let failure = failure_of(&refused(status, code), None);
            assert_eq!(failure.outlook, expected, "{status} {code}");
            let again = failure.after(BELIEVED).outlook;
            let believed = if expected == Doubtful {
                Lasting
            } else {
                expected
            };
            assert_eq!(again, believed, "{status} {code}");
        }
        let unanswered = AzureError::NoAnswer {
            operation: Operation::PatchComputeIdentity,
            resource: "/x".into(),
            host: "arm".into(),
            source: "connection reset".into(),
        };
        assert_eq!(failure_of(&unanswered, None).outlook, Passing);
    }

    #[test]
    fn a_failure_begins_with_the_next_step_and_names_the_identity() {
        let error = refused(403, "LinkedAuthorizationFailed");
        let failure = failure_of(&error, Some(&ArmId::new("/id/web")));
        let (step, message) = (error.next_step(), &failure.cause.message);
        assert!(
            message.starts_with(&format!("{step} (/id/web). ")),
            "{message}"
        );
        assert!(message.ends_with("Azure's own words."), "{message}");
        let id = crate::assignment::fake::id("web");
        let reply = Reply::new(
            403,
            "LinkedAuthorizationFailed",
            format!("scope(s) '{id}' or"),
        );
        let error = AzureError::refused(Operation::PatchComputeIdentity, "/subscriptions/s", reply);
        let message = failure_of(&error, Some(&id)).cause.message;
        let first = message.split(". ").next().unwrap_or_default();
        assert_eq!(first.matches(id.as_str()).count(), 1, "{message}");
    }
}
