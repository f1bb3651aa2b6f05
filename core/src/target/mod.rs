//! VMs and scale sets: the Azure resources that identities are assigned to.
//!
//! | file | holds |
//! |---|---|
//! | `id` | which VM or scale set a node is |
//! | `plan` | what to change there |
//! | `record` | what podid has put there |
//! | `recreated` | identities that were deleted and made again under the same id |

mod id;
mod plan;
mod record;
mod recreated;

pub use id::{ProviderIdError, Target, TargetKind};
pub use plan::{TargetPlan, plan_target};
pub use record::AssignmentRecord;
pub use recreated::recreated;
