//! What somebody attempts, as conditions see it.

/// An action with its attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) action: &'a str,
    /// The role assignment that the request writes.
    pub(crate) request: Option<&'a AttributesOfAssignment>,
    /// The role assignment that is there already.
    pub(crate) resource: Option<&'a AttributesOfAssignment>,
}

impl<'a> Attempt<'a> {
    /// An action on anything but a role assignment, or one that reads.
    pub(crate) fn of(action: &'a str) -> Self {
        Self {
            action,
            request: None,
            resource: None,
        }
    }
}

/// What conditions may ask of a role assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttributesOfAssignment {
    /// GUID of the role.
    pub(crate) role: String,
    pub(crate) principal_id: String,
    /// As Azure names it, such as `ServicePrincipal`.
    pub(crate) principal_type: String,
}
