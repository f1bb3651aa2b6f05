//! Objects for the tests of several modules.

use podid_core::arm::ArmId;
use podid_core::binding::{AzureIdentity, AzureIdentityType, Origin};
use podid_core::net_raw::NetRaw;

/// Resource id of [`azure_identity`].
pub(crate) const RESOURCE_ID: &str = "/subscriptions/s/resourceGroups/g/providers/\
    Microsoft.ManagedIdentity/userAssignedIdentities/one";

/// A profile's AzureIdentity a/one.
pub(crate) fn azure_identity() -> AzureIdentity {
    AzureIdentity {
        namespace: "a".into(),
        name: "one".into(),
        kind: AzureIdentityType::Managed,
        client_id: "client-one".into(),
        resource_id: ArmId::new(RESOURCE_ID),
        principal_id: None,
        namespaced: true,
        origin: Origin::Profile,
        net_raw: NetRaw::Enforce,
    }
}
