//! The credentials that `docker login` and its like have stored.

use anyhow::{Context, Result, bail};
use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::secrets::RegistryAuth;

use super::Destination;

/// What the user has stored for the registry, which may be nothing.
pub(super) fn find(destination: &Destination, is_plain_http: bool) -> Result<RegistryAuth> {
    let registry = destination.registry();
    let found = match docker_credential::get_credential(registry) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            RegistryAuth::Basic(user, password)
        }
        Ok(DockerCredential::IdentityToken(token)) => RegistryAuth::Bearer(token),
        Err(
            CredentialRetrievalError::NoCredentialConfigured
            | CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::ConfigReadError,
        ) => RegistryAuth::Anonymous,
        // Its whole text may repeat what the helper printed, over many lines.
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => bail!(
            "the credential helper {helper} has no credentials for {registry}: log in to it again"
        ),
        Err(error) => {
            return Err(error).with_context(|| {
                format!("cannot read the credentials for {registry}: log in to it again")
            });
        }
    };
    if is_plain_http && found != RegistryAuth::Anonymous && !destination.is_loopback() {
        bail!(
            "--plain-http would show your credentials for {registry} to the whole network: \
             use TLS, or log out of it"
        );
    }
    Ok(found)
}
