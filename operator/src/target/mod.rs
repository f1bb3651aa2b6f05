//! VMs and scale sets (targets) under pods: each gets the identities that are desired on it.
//!
//! What to do is decided by [`podid_core::target::TargetState`]; here its actions are performed.
//!
//! | module | role |
//! |---|---|
//! | `manager` | the targets that are worked on, each with a worker of its own |
//! | `worker` | performs the actions of one target, and feeds the results back |
//! | `report` | what became known of a target |
//! | `convert` | Azure's values as those of core, and back |
//! | `record_store` | what podid has put on each target, in ConfigMaps |
//! | `metrics` | what is counted |

mod convert;
#[cfg(test)]
pub(crate) mod fake;
mod manager;
mod metrics;
mod record_store;
mod report;
mod worker;

pub(crate) use manager::{TargetContext, TargetManager};
pub(crate) use metrics::TargetMetrics;
pub(crate) use record_store::{ConfigMapRecords, RecordStore};
pub(crate) use report::TargetReport;
