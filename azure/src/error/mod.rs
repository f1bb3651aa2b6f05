//! Failures of calls to Azure.
//!
//! | file | holds |
//! |---|---|
//! | `azure_error` | what was tried, on what, and what came back |
//! | `reply` | Azure's own answer, read from any of its forms |
//! | `class` | what a program can do about a failure |
//! | `hint` | what a person can do about it |

mod azure_error;
mod class;
mod hint;
mod reply;

pub use azure_error::{AzureError, Result};
pub use class::ErrorClass;
pub use reply::{Reply, ReplyDetail};
