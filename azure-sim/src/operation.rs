//! The operations that the simulator knows, by name. Faults select calls by operation, and the call
//! log counts them by operation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::glob::glob;

macro_rules! operations {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// What a request asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Operation {
            /// Every operation.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in faults, in the call log and in counters.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

operations! {
    /// GET of a user-assigned identity.
    IdentityGet = "arm.identity.get",
    /// PUT of a user-assigned identity.
    IdentityPut = "arm.identity.put",
    /// PATCH of a user-assigned identity.
    IdentityPatch = "arm.identity.patch",
    /// DELETE of a user-assigned identity.
    IdentityDelete = "arm.identity.delete",
    /// List of identities in a group or subscription.
    IdentityList = "arm.identity.list",
    /// One identity assigned to a VM or scale set. It is no request of its own but a part of a PATCH
    /// or PUT of the VM or scale set; its resource is the identity.
    IdentityAssign = "arm.identity.assign",
    /// GET of a resource's system-assigned identity.
    SystemIdentityGet = "arm.systemidentity.get",
    /// GET of a federated credential.
    FederatedGet = "arm.federated.get",
    /// PUT of a federated credential.
    FederatedPut = "arm.federated.put",
    /// DELETE of a federated credential.
    FederatedDelete = "arm.federated.delete",
    /// List of an identity's federated credentials.
    FederatedList = "arm.federated.list",
    /// GET of a role definition.
    RoleDefinitionGet = "arm.roledefinition.get",
    /// List of role definitions.
    RoleDefinitionList = "arm.roledefinition.list",
    /// GET of a role assignment.
    RoleAssignmentGet = "arm.roleassignment.get",
    /// PUT of a role assignment.
    RoleAssignmentPut = "arm.roleassignment.put",
    /// DELETE of a role assignment.
    RoleAssignmentDelete = "arm.roleassignment.delete",
    /// List of role assignments.
    RoleAssignmentList = "arm.roleassignment.list",
    /// GET of a scale set.
    VmssGet = "arm.vmss.get",
    /// PUT of a scale set.
    VmssPut = "arm.vmss.put",
    /// PATCH of a scale set.
    VmssPatch = "arm.vmss.patch",
    /// List of scale sets.
    VmssList = "arm.vmss.list",
    /// POST manualupgrade of a scale set.
    VmssUpgrade = "arm.vmss.manualupgrade",
    /// GET of one instance of a scale set.
    VmssInstanceGet = "arm.vmssinstance.get",
    /// List of a scale set's instances.
    VmssInstanceList = "arm.vmssinstance.list",
    /// GET of a VM.
    VmGet = "arm.vm.get",
    /// PUT of a VM.
    VmPut = "arm.vm.put",
    /// PATCH of a VM.
    VmPatch = "arm.vm.patch",
    /// List of VMs.
    VmList = "arm.vm.list",
    /// Poll of an asynchronous operation.
    OperationGet = "arm.operation.get",
    /// GET of a subscription.
    SubscriptionGet = "arm.subscription.get",
    /// List of subscriptions.
    SubscriptionList = "arm.subscription.list",
    /// List of the regions a subscription may use.
    LocationList = "arm.location.list",
    /// GET of a resource group.
    GroupGet = "arm.group.get",
    /// List of resource groups.
    GroupList = "arm.group.list",
    /// Any other request to ARM.
    ArmOther = "arm.other",
    /// Token request, v1 or v2.
    EntraToken = "entra.token",
    /// OpenID configuration.
    EntraConfiguration = "entra.configuration",
    /// Signing keys.
    EntraKeys = "entra.keys",
    /// Instance discovery.
    EntraInstance = "entra.instance",
    /// Any other request to Entra.
    EntraOther = "entra.other",
    /// Token request of a VM.
    ImdsToken = "imds.token",
    /// Instance metadata.
    ImdsInstance = "imds.instance",
    /// Version list.
    ImdsVersions = "imds.versions",
    /// Tenant of the VM.
    ImdsInfo = "imds.info",
    /// Any other request to IMDS.
    ImdsOther = "imds.other",
    /// GET of a secret.
    SecretGet = "vault.secret.get",
    /// Any other request to a vault.
    VaultOther = "vault.other",
    /// List of an account's containers.
    ContainerList = "blob.container.list",
    /// List of a container's blobs.
    BlobList = "blob.list",
    /// Any other request to blob storage.
    BlobOther = "blob.other",
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Operation {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

/// One operation, or several by a pattern in which `*` stands for any text: `arm.vmss.patch`, `arm.vmss.*`, `arm.*.get`, `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperationPattern(String);

impl OperationPattern {
    /// Whether the pattern selects `operation`.
    pub fn matches(&self, operation: Operation) -> bool {
        self.matches_name(operation.name())
    }

    pub(crate) fn matches_name(&self, name: &str) -> bool {
        glob(&self.0, name)
    }
}

/// A pattern that selects no operation.
#[derive(Debug, thiserror::Error)]
#[error("no operation matches `{0}`; known are {known}", known = known())]
pub struct UnknownOperation(String);

fn known() -> String {
    Operation::ALL
        .iter()
        .map(|o| o.name())
        .collect::<Vec<_>>()
        .join(", ")
}

impl FromStr for OperationPattern {
    type Err = UnknownOperation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pattern = Self(text.to_ascii_lowercase());
        if Operation::ALL.iter().any(|o| pattern.matches(*o)) {
            Ok(pattern)
        } else {
            Err(UnknownOperation(text.into()))
        }
    }
}

impl TryFrom<String> for OperationPattern {
    type Error = UnknownOperation;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<OperationPattern> for String {
    fn from(pattern: OperationPattern) -> Self {
        pattern.0
    }
}

impl From<Operation> for OperationPattern {
    fn from(operation: Operation) -> Self {
        Self(operation.name().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_selects_one_operation_several_or_all() -> Result<(), UnknownOperation> {
        let one: OperationPattern = "arm.vmss.patch".parse()?;
        assert!(one.matches(Operation::VmssPatch));
        assert!(!one.matches(Operation::VmssPut));
        let family: OperationPattern = "arm.vmss.*".parse()?;
        assert!(family.matches(Operation::VmssPut));
        assert!(!family.matches(Operation::VmssInstanceGet));
        let reads: OperationPattern = "arm.*.get".parse()?;
        assert!(reads.matches(Operation::IdentityGet) && !reads.matches(Operation::IdentityPut));
        assert!(
            "*".parse::<OperationPattern>()?
                .matches(Operation::SecretGet)
        );
        Ok(())
    }

    #[test]
    fn a_pattern_that_selects_no_operation_is_refused() {
        let refused = "arm.vmms.*".parse::<OperationPattern>();
        assert!(refused.is_err_and(|e| e.to_string().contains("arm.vmss.patch")));
    }
}
