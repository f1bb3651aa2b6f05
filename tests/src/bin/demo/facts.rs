//! The names of the demo, in one place.

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
/// The command line of the tutorials, word for word but for the quotes.
pub(crate) const TOKEN_URL: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";
