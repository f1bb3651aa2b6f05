//! Conditions that are refused.

/// Why a condition is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConditionError {
    /// Azure refuses it too.
    #[error("The given role assignment condition is invalid: {0}.")]
    Malformed(String),
    /// Azure may accept it, but the simulator does not know what it means.
    #[error("{0} in conditions of role assignments is not simulated")]
    NotSimulated(String),
}
