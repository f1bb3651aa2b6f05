//! Profiles: what is asked for, whether the class allows it, and what to do about it.
//!
//! | file | holds |
//! |---|---|
//! | `spec` | what a profile asks for |
//! | `admit` | whether its class allows that |
//! | `desired` | what an admitted profile wants to be true |
//! | `observed` | what is true |
//! | `plan` | the difference, as steps |
//! | `pods` | what the pods that a profile binds mean to it |

pub mod admit;
pub mod desired;
pub mod observed;
pub mod plan;
pub mod pods;
mod spec;

pub use spec::{Access, CreationPolicy, DeletionPolicy, Drift, Profile};
