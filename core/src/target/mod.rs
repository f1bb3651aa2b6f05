//! VMs and scale sets: the Azure resources that identities are assigned to.
//!
//! | file | holds |
//! |---|---|
//! | `id` | which VM or scale set a node is |
//! | `desired` | the identities a target should have, by the pods on it |
//! | `observation`, `status` | what Azure shows of a target, what is known of it |
//! | `plan`, `parts` | what to change there, and in which parts |
//! | `record` | what podid has put there |
//! | `recreated` | identities that were deleted and made again under the same id |
//! | `error`, `failure` | Azure's errors, and their consequence for an identity |
//! | `batch` | how long changes are collected before they go out together |
//! | `quarantine`, `pause` | when refused identities, and when whole targets, are tried again |
//! | `state` | the state machine of one target, which uses all of these |
//! | `release` | whether a target still has an identity, which may be deleted when none has |
//! | `managed` | what is desired on a target, and which identities it may have, between the reports of its state machine |

mod batch;
mod desired;
mod error;
mod failure;
mod id;
mod managed;
mod observation;
mod parts;
mod pause;
mod plan;
mod quarantine;
mod record;
mod recreated;
mod release;
mod state;
mod status;

pub use desired::{DesiredIdentities, IdentityUse};
pub use error::{TargetError, TargetErrorClass};
pub use failure::{Persistence, TargetFailure};
pub use id::{NodeTargetError, Target, TargetKind};
pub use managed::{ManagedTarget, StatusChange};
pub use observation::TargetObservation;
pub use parts::MAX_CHANGES;
pub use plan::{TargetPlan, plan_target};
pub use quarantine::BETWEEN_REQUESTS;
pub use record::AssignmentRecord;
pub use recreated::recreated;
pub use release::{TargetsWithIdentity, is_only_used_by_others};
pub use state::{
    TargetAction, TargetEvent, TargetNotice, TargetPatch, TargetSettings, TargetState,
};
pub use status::TargetStatus;
