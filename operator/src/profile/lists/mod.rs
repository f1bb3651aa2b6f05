//! What is listed once for all profiles, so that a profile which is as it should be costs no call of its own.
//!
//! The lists may be half a minute old. That is enough to say that nothing is to be done; before anything is done, the
//! profile is read by itself. `listed` compares a profile with them.

mod kept;

use std::sync::Arc;

use podid_core::arm::ArmId;
use podid_core::condition::SubCondition;
use podid_core::profile::observed::{ManagedIdentity, RoleAssignment};
use podid_core::profile::reads::LIST_AGE;
use uuid::Uuid;

use kept::Kept;

/// Lists that all profiles share. Clones share one state.
#[derive(Clone, Debug)]
pub struct SharedLists(pub(super) Arc<Lists>);

/// See [`SharedLists`].
#[derive(Debug)]
pub(super) struct Lists {
    /// By resource group.
    pub(super) identities: Kept<ArmId, Arc<Vec<ManagedIdentity>>>,
    /// By what [`list_scope`] says.
    pub(super) role_assignments: Kept<ArmId, Arc<Vec<RoleAssignment>>>,
    /// By name in lower case, and scope.
    pub(super) roles: Kept<(String, ArmId), Option<Uuid>>,
    /// By name of the policy.
    pub(super) policies: Kept<Option<&'static str>, SubCondition>,
}

impl Default for SharedLists {
    fn default() -> Self {
        Self(Arc::new(Lists {
            identities: Kept::new(LIST_AGE),
            role_assignments: Kept::new(LIST_AGE),
            roles: Kept::new(LIST_AGE),
            policies: Kept::new(LIST_AGE),
        }))
    }
}
