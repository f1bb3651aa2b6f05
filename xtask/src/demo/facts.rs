//! The names of the demo, in one place.

/// Namespace of the application.
pub(super) const NAMESPACE: &str = "payments";
/// A namespace that no profile speaks of.
pub(super) const STRANGER_NAMESPACE: &str = "strangers";
/// The profile, and so the value of the pod label.
pub(super) const PROFILE: &str = "checkout";
/// The class.
pub(super) const CLASS: &str = "lab";
/// Role that lets the identity read secrets.
pub(super) const ROLE: &str = "Key Vault Secrets User";
/// The command line of the tutorials, word for word but for the quotes.
pub(super) const TOKEN_URL: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";
