//! Azure's errors as the plain values that rules in `podid-core` go by.

use podid_azure::{AzureError, ErrorClass};
use podid_core::call_failure::{CallFailure, CallFailureClass};

/// What rules need of an error.
pub(crate) fn call_failure(error: &AzureError) -> CallFailure {
    let class = error.class();
    CallFailure {
        class: match class {
            ErrorClass::Propagating => CallFailureClass::Propagating,
            ErrorClass::Forbidden => CallFailureClass::Forbidden,
            ErrorClass::NotFound => CallFailureClass::NotFound,
            ErrorClass::Unauthenticated => CallFailureClass::Unauthenticated,
            ErrorClass::Invalid => CallFailureClass::Invalid,
            // Throttling, conflicts and what a later version of `podid-azure` tells apart may pass.
            _ => CallFailureClass::Transient,
        },
        code: error.code().map(str::to_owned),
        fallback_reason: class.as_str(),
        retry_after: error.retry_after(),
    }
}
