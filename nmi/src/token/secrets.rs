//! One Secret, by name. The daemon has no right to any Secret of its own: a Role in the Secret's namespace gives it one.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use zeroize::Zeroizing;

/// How long the API server may take.
const READ_WAIT: Duration = Duration::from_secs(10);

/// The values of a Secret. They cannot be printed, and are wiped when they are dropped.
#[derive(Default)]
pub(crate) struct SecretValues(BTreeMap<String, Zeroizing<Vec<u8>>>);

/// Why a Secret cannot be read.
#[derive(Debug)]
pub(crate) enum SecretError {
    /// There is none.
    NotFound,
    /// The daemon may not read it.
    Forbidden,
    /// The API server does not answer, or not as it should.
    NoAnswer,
}

/// As many keys of a Secret are named in an error.
const NAMED_KEYS: usize = 5;

/// Reads Secrets.
#[async_trait]
pub(crate) trait SecretReader: fmt::Debug + Send + Sync {
    /// The Secret as it is now.
    async fn read(&self, namespace: &str, name: &str) -> Result<SecretValues, SecretError>;
}

/// The Secrets of the API server.
pub(crate) struct ApiSecrets(pub(crate) Client);

impl SecretValues {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(|value| value.as_slice())
    }

    /// The value of the only key.
    pub(crate) fn only(&self) -> Option<&[u8]> {
        let mut values = self.0.values();
        let first = values.next()?;
        values.next().is_none().then_some(first.as_slice())
    }

    /// The names of the first keys.
    pub(crate) fn keys(&self) -> String {
        let keys: Vec<&str> = self.0.keys().map(String::as_str).take(NAMED_KEYS).collect();
        let more = if self.0.len() > NAMED_KEYS {
            ", …"
        } else {
            ""
        };
        format!("{}{more}", keys.join(", "))
    }
}

impl<const N: usize> From<[(&str, &[u8]); N]> for SecretValues {
    fn from(values: [(&str, &[u8]); N]) -> Self {
        let own = |(key, value): (&str, &[u8])| (key.to_owned(), Zeroizing::new(value.to_vec()));
        Self(values.into_iter().map(own).collect())
    }
}

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretValues({}, redacted)", self.keys())
    }
}

impl fmt::Debug for ApiSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiSecrets")
    }
}

#[async_trait]
impl SecretReader for ApiSecrets {
    async fn read(&self, namespace: &str, name: &str) -> Result<SecretValues, SecretError> {
        let api: Api<Secret> = Api::namespaced(self.0.clone(), namespace);
        let read = tokio::time::timeout(READ_WAIT, api.get(name)).await;
        let secret = match read {
            Ok(Ok(secret)) => secret,
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() => {
                return Err(SecretError::NotFound);
            }
            Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => {
                return Err(SecretError::Forbidden);
            }
            Ok(Err(_)) | Err(_) => return Err(SecretError::NoAnswer),
        };
        let data = secret.data.unwrap_or_default().into_iter();
        Ok(SecretValues(
            data.map(|(key, value)| (key, Zeroizing::new(value.0)))
                .collect(),
        ))
    }
}
