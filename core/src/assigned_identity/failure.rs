use serde::Serialize;

/// Why an identity is not on a VM or scale set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AssignmentFailure {
    /// A word: Azure's code, or podid's own reason.
    pub reason: String,
    /// A sentence for people: the next step, then the cause.
    pub message: String,
}
