//! The names of the demo, in one place.

pub(crate) use podid_tests::node::TOKEN_URL;

/// Namespace of the application.
pub(crate) const NAMESPACE: &str = "payments";
/// A namespace that no profile speaks of.
pub(crate) const STRANGER_NAMESPACE: &str = "strangers";
/// The profile, and so the value of the pod label.
pub(crate) const PROFILE: &str = "checkout";
/// The class.
pub(crate) const CLASS: &str = "lab";
/// Role that lets the identity read secrets.
pub(crate) const ROLE: &str = "Key Vault Secrets User";
