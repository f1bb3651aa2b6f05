mod call;
mod gate;
mod headers;
mod legacy;
mod operation;
mod poll;
mod retry;
mod send;

use std::{sync::Arc, time::Duration};

pub(crate) use call::CallContext;
pub use gate::{ArmCall, ArmGate, GateDecision, GateRefusal, OpenGate};
pub(crate) use legacy::Session;
pub use operation::Operation;
pub(crate) use retry::RetryPolicy;
pub(crate) use send::{ArmRequest, ArmResponse};

use crate::{Credential, Endpoints, Transport};

/// A connection to Azure Resource Manager that the typed clients share: where it is, how it is
/// reached, who calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Arm {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoints: Endpoints,
    transport: Transport,
    credential: Credential,
    retry: RetryPolicy,
    gate: Arc<dyn ArmGate>,
    operation_timeout: Duration,
}

impl Arm {
    /// Longest wait for a long-running operation. Changes of a scale set's identities take seconds
    /// to a few minutes.
    const OPERATION_TIMEOUT: Duration = Duration::from_secs(15 * 60);

    /// Puts the parts together. Nothing is sent yet. There is no `Arm`, hence no client of ARM,
    /// without a gate.
    pub fn new(
        endpoints: Endpoints,
        transport: Transport,
        credential: Credential,
        gate: Arc<dyn ArmGate>,
    ) -> Self {
        let inner = Inner {
            endpoints,
            transport,
            credential,
            retry: RetryPolicy::default(),
            gate,
            operation_timeout: Self::OPERATION_TIMEOUT,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The same parts with another [`RetryPolicy`]; for tests, which have less time.
    #[cfg(test)]
    pub(crate) fn with_retry(self, retry: RetryPolicy) -> Self {
        let inner = Inner {
            retry,
            ..Arc::into_inner(self.inner).expect("an Arm without clones")
        };
        Self {
            inner: Arc::new(inner),
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
