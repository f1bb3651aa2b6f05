//! The VM or scale set under a node: what an identity is put on.

use std::fmt;

use serde::Serialize;

use crate::arm::{ArmId, resource_of};

/// Scheme of the Azure cloud provider's `spec.providerID`.
const SCHEME: &str = "azure://";

/// Whether a target is a VM or a scale set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum TargetKind {
    /// A virtual machine: a single one, or an instance of a flexible scale set.
    Vm,
    /// A uniform scale set: its instances have the identities of its model, all at once.
    ScaleSet,
}

/// A VM or scale set that has identities. Two spellings of one id are one target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Target {
    kind: TargetKind,
    id: ArmId,
}

/// Why there is no VM or scale set under a node that identities may be put on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeTargetError {
    /// It is absent: there is no cloud provider, or it has not written it yet.
    #[error("the node has no provider id yet; the cloud provider writes it when the node joins")]
    Empty,
    /// Another cloud's, or none.
    #[error("provider id {0:?} is not of Azure; expected {SCHEME}/subscriptions/…")]
    NotAzure(String),
    /// Of Azure, but neither a virtual machine nor an instance of a scale set.
    #[error(
        "provider id {0:?} names neither a virtual machine nor an instance of a scale set; \
         expected {SCHEME}/subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/\
         virtualMachines/NAME or …/virtualMachineScaleSets/NAME/virtualMachines/NUMBER"
    )]
    NotATarget(String),
    /// It is a Windows node: no node daemon runs there, so that every pod of it would reach what is assigned.
    #[error(
        "it is a Windows node, where no node daemon keeps other pods from the node's identities"
    )]
    Windows,
}

impl Target {
    /// Reads the `spec.providerID` of a node, in any letter case.
    ///
    /// # Errors
    /// What is wrong with it, quoting it.
    pub fn from_provider_id(provider_id: &str) -> Result<Self, NodeTargetError> {
        let text = provider_id.trim();
        if text.is_empty() {
            return Err(NodeTargetError::Empty);
        }
        let path = text
            .get(..SCHEME.len())
            .filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
            .and_then(|_| text.get(SCHEME.len()..))
            .ok_or_else(|| NodeTargetError::NotAzure(text.to_owned()))?;
        Self::parse(path).ok_or_else(|| NodeTargetError::NotATarget(text.to_owned()))
    }

    /// Reads the ARM id of a virtual machine, a scale set, or an instance of one (which stands
    /// for its scale set); `None` when it is anything else.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (subscription, group, resource) = resource_of(path, "Microsoft.Compute")?;
        let (kind, name) = kind_and_name(&resource)?;
        let named = [subscription, group, name]
            .iter()
            .all(|part| !part.is_empty());
        named.then(|| Self::new(kind, subscription, group, name))
    }

    fn new(kind: TargetKind, subscription: &str, group: &str, name: &str) -> Self {
        let word = match kind {
            TargetKind::Vm => "virtualMachines",
            TargetKind::ScaleSet => "virtualMachineScaleSets",
        };
        let group = format!("/subscriptions/{subscription}/resourceGroups/{group}");
        Self {
            kind,
            id: ArmId::new(format!("{group}/providers/Microsoft.Compute/{word}/{name}")),
        }
    }

    /// Whether it is a VM or a scale set.
    #[must_use]
    pub fn kind(&self) -> TargetKind {
        self.kind
    }

    /// Its ARM id, in the spelling of ARM's documentation.
    #[must_use]
    pub fn id(&self) -> &ArmId {
        &self.id
    }

    /// Its subscription, as written.
    #[must_use]
    pub fn subscription(&self) -> &str {
        self.id.subscription().unwrap_or_default()
    }

    /// Its resource group, as written.
    #[must_use]
    pub fn resource_group(&self) -> &str {
        self.id.resource_group().unwrap_or_default()
    }

    /// Its name, as written.
    #[must_use]
    pub fn name(&self) -> &str {
        self.id.name()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

/// Kind and name of the VM or scale set that the segments after the provider stand for.
fn kind_and_name<'a>(segments: &[&'a str]) -> Option<(TargetKind, &'a str)> {
    let is = |word: &str, want: &str| word.eq_ignore_ascii_case(want);
    match *segments {
        [vms, name] if is(vms, "virtualMachines") => Some((TargetKind::Vm, name)),
        [sets, name] if is(sets, "virtualMachineScaleSets") => Some((TargetKind::ScaleSet, name)),
        [sets, name, vms, instance]
            if is(sets, "virtualMachineScaleSets")
                && is(vms, "virtualMachines")
                && !instance.is_empty() =>
        {
            Some((TargetKind::ScaleSet, name))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "azure:///subscriptions/S/resourceGroups/mc_rg/providers/Microsoft.Compute";

    #[test]
    fn an_instance_stands_for_its_scale_set() {
        for instance in ["0", "17", "pool_3"] {
            let id = format!("{GROUP}/virtualMachineScaleSets/pool/virtualMachines/{instance}");
            let target = Target::from_provider_id(&id).expect("a scale set");
            assert_eq!(
                (target.kind(), target.name()),
                (TargetKind::ScaleSet, "pool")
            );
            assert_eq!(
                (target.subscription(), target.resource_group()),
                ("S", "mc_rg")
            );
        }
    }

    #[test]
    fn a_flexible_instance_is_a_virtual_machine() {
        let id = format!("{GROUP}/virtualMachines/flex_1a2b");
        let target = Target::from_provider_id(&id).expect("a VM");
        assert_eq!(
            (target.kind(), target.name()),
            (TargetKind::Vm, "flex_1a2b")
        );
    }

    #[test]
    fn letter_case_makes_no_second_target() {
        let id = format!("{GROUP}/virtualMachineScaleSets/pool/virtualMachines/0");
        assert_eq!(
            Target::from_provider_id(&id),
            Target::from_provider_id(&id.to_uppercase()),
        );
    }

    #[test]
    fn a_vm_and_a_scale_set_of_one_name_are_two_targets() {
        let vm = Target::from_provider_id(&format!("{GROUP}/virtualMachines/x"));
        let set = Target::from_provider_id(&format!("{GROUP}/virtualMachineScaleSets/x"));
        assert_ne!(vm, set);
        let set = set.expect("a scale set");
        assert_eq!((set.kind(), set.name()), (TargetKind::ScaleSet, "x"));
        assert_eq!(set.to_string(), set.id().as_str());
    }

    #[test]
    fn malformed_provider_ids_say_why() {
        assert_eq!(Target::from_provider_id(" "), Err(NodeTargetError::Empty));
        for other in [
            "kind://podman/kind/node",
            "aws:///eu-west-1a/i-0",
            "azure",
            "ä",
            "azure:/x",
        ] {
            let error = Target::from_provider_id(other).expect_err("not Azure");
            assert!(
                matches!(error, NodeTargetError::NotAzure(_)),
                "{other}: {error}"
            );
        }
        for odd in [
            "azure://",
            "azure:///",
            "azure:///subscriptions/S",
            &format!("{GROUP}/disks/x"),
            &format!("{GROUP}/virtualMachines/"),
            &format!("{GROUP}/virtualMachines/x/extensions/y"),
            &format!("{GROUP}/virtualMachineScaleSets/x/virtualMachines/"),
            &format!("{GROUP}/virtualMachineScaleSets/x/extensions/0"),
            &format!("{GROUP}/disks/x/virtualMachines/0"),
            &format!("{GROUP}/virtualMachineScaleSets//virtualMachines/0"),
            &format!("{GROUP}/virtualMachines/x").replace("/S/", "//"),
        ] {
            let error = Target::from_provider_id(odd).expect_err("no target");
            assert!(
                matches!(error, NodeTargetError::NotATarget(_)),
                "{odd}: {error}"
            );
            assert!(error.to_string().contains(odd), "{error}");
        }
    }
}
