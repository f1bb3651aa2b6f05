mod headers;
mod legacy;
mod operation;
mod poll;
mod retry;
mod send;

use std::{sync::Arc as Shared, time::Duration};

pub(crate) use legacy::Session;
pub(crate) use operation::Call;
pub use operation::Operation;
pub use retry::RetryPolicy;
pub(crate) use send::{ArmRequest, ArmResponse};

use crate::{Credential, Endpoints, Transport};

/// A connection to Azure Resource Manager that the typed clients share: where it is, how it is
/// reached, who calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Arm {
    inner: Shared<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoints: Endpoints,
    transport: Transport,
    credential: Credential,
    retry: RetryPolicy,
    operation_timeout: Duration,
}

impl Arm {
    /// Longest wait for a long-running operation. Changes of a scale set's identities take seconds
    /// to a few minutes.
    const OPERATION_TIMEOUT: Duration = Duration::from_secs(15 * 60);

    /// Puts the parts together. Nothing is sent yet.
    pub fn new(endpoints: Endpoints, transport: Transport, credential: Credential) -> Self {
        Self::with_retry(endpoints, transport, credential, RetryPolicy::default())
    }

    /// As [`new`](Self::new), with another [`RetryPolicy`].
    pub fn with_retry(
        endpoints: Endpoints,
        transport: Transport,
        credential: Credential,
        retry: RetryPolicy,
    ) -> Self {
        let operation_timeout = Self::OPERATION_TIMEOUT;
        let inner = Inner {
            endpoints,
            transport,
            credential,
            retry,
            operation_timeout,
        };
        Self {
            inner: Shared::new(inner),
        }
    }

    /// The addresses in use.
    pub fn endpoints(&self) -> &Endpoints {
        &self.inner.endpoints
    }

    /// The credential in use.
    pub fn credential(&self) -> &Credential {
        &self.inner.credential
    }
}
