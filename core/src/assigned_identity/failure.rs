use serde::Serialize;

/// Why an identity is not on a VM or scale set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AssignmentFailure {
    /// A word: Azure's code, or podid's own reason.
    pub reason: String,
    /// A sentence for people: which object, what is wrong with it, the next step, then the details.
    pub message: String,
}
