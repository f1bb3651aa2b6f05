//! Profiles: what is asked for, whether the class allows it, what to do about it, and what came of it.
//!
//! | file | holds |
//! |---|---|
//! | `spec` | what a profile asks for |
//! | `decide` | what to do: before anything is read, and after |
//! | `admit` | whether its class allows what it asks for |
//! | `desired` | what an admitted profile wants to be true |
//! | `reads` | what has to be read for a plan |
//! | `observed` | what is true |
//! | `plan` | the difference, as steps |
//! | `in_progress` | what the status says meanwhile |
//! | `progress` | what is known and remembered while a plan is carried out |
//! | `failure` | what a failed read or write means |
//! | `result` | what a reconciliation comes to, and when to look again |
//! | `condition_type` | the conditions of a profile |
//! | `pods` | what the pods that a profile binds mean to it |

pub mod admit;
mod condition_type;
pub mod decide;
pub mod desired;
pub mod failure;
pub mod in_progress;
pub mod observed;
pub mod plan;
pub mod pods;
pub mod progress;
pub mod reads;
pub mod result;
mod spec;

pub use condition_type::ConditionType;
pub use spec::{Access, CreationPolicy, DeletionPolicy, Drift, Interval, Profile};
