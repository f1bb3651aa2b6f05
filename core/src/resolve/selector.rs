//! The identity that a token request names.

use serde::Serialize;

use crate::arm::ArmId;
use crate::binding::AzureIdentity;

/// Which identity a request names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Selector {
    /// None: the pod's only one.
    #[default]
    Only,
    /// `client_id`
    ClientId(String),
    /// `object_id`
    ObjectId(String),
    /// `msi_res_id` or `mi_res_id`
    ResourceId(ArmId),
}

impl Selector {
    /// Whether it names `identity`; ids are compared without letter case.
    pub(super) fn names(&self, identity: &AzureIdentity) -> bool {
        match self {
            Self::Only => true,
            Self::ClientId(id) => identity.client_id.eq_ignore_ascii_case(id),
            Self::ObjectId(id) => {
                let known = identity.principal_id.as_ref();
                known.is_some_and(|known| known.eq_ignore_ascii_case(id))
            }
            Self::ResourceId(id) => identity.resource_id == *id,
        }
    }
}
