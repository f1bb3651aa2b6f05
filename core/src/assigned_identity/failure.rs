use serde::Serialize;

/// Why an identity does not come on a machine, when waiting does not help.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AssignmentFailure {
    /// A word: Azure's code, or podid's own reason.
    pub reason: String,
    /// A sentence for people, what to do first.
    pub message: String,
}
