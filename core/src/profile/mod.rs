//! Profiles: what one asks for, whether its class allows that, what to do about it, and the result.
//!
//! | file | holds |
//! |---|---|
//! | `spec` | what a profile asks for |
//! | `decide` | what to do: before anything is read, and after |
//! | `admit` | whether its class allows what it asks for |
//! | `withdrawal` | what a class takes away of a profile that exceeds it |
//! | `desired` | the desired state of an admitted profile |
//! | `adoption` | who may use an identity that podid did not make |
//! | `finalizer` | what keeps a profile until everything that belongs to it is gone |
//! | `grace` | how long pods keep the identity of a profile that is being deleted |
//! | `reads` | what has to be read for a plan |
//! | `expected` | what there is once a profile is made, where nothing can be read |
//! | `observed` | what Azure and the cluster have, and what the status records |
//! | `plan` | the difference, as steps |
//! | `in_progress` | the message of the status while a plan is carried out |
//! | `progress` | the identity and role assignments while a plan is carried out, and the record after it |
//! | `failure` | the conditions and the outcome after a failed read or write |
//! | `result` | the result of a reconciliation, and when to reconcile again |
//! | `queue` | which profile is reconciled next |
//! | `condition_type` | the conditions of a profile |
//! | `shared_roles` | which roles of the kubelet identity no profile needs any more |
//! | `waiting` | which profiles a change of the assignments concerns |
//! | `pods` | the effect of the pods that a profile binds: counts, conditions, readiness |

pub mod admit;
pub mod adoption;
mod condition_type;
pub mod decide;
pub mod desired;
pub mod expected;
pub mod failure;
pub mod finalizer;
pub mod grace;
pub mod in_progress;
pub mod observed;
pub mod plan;
pub mod pods;
pub mod progress;
pub mod queue;
pub mod reads;
pub mod result;
pub mod shared_roles;
mod spec;
pub mod waiting;
pub mod withdrawal;

pub use condition_type::ConditionType;
pub use spec::{Access, CreationPolicy, DeletionPolicy, Drift, Interval, Profile};
