//! A pod that holds identities, and what follows for it from the other objects.

use podid_core::arm::ArmId;
use podid_core::binding::{Pod, PodIdentities, PodIdentity, Verification};
use podid_core::target::{IdentityUse, NodeTargetError, Target};
use podid_index::{ObjectKey, PodOnNode};

/// A pod that holds identities, on its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::assigned_identity) struct PlacedPod {
    pub(in crate::assigned_identity) pod: Pod,
    pub(in crate::assigned_identity) node: String,
}

impl PodOnNode for PlacedPod {
    fn pod(&self) -> &Pod {
        &self.pod
    }

    fn node(&self) -> &str {
        &self.node
    }
}

/// A pod and what follows from everything else that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::assigned_identity) struct IndexedPod {
    pub(in crate::assigned_identity) placed: PlacedPod,
    /// The VM or scale set under the pod; `None` while its node is not known (yet, or any more).
    pub(in crate::assigned_identity) target: Option<Result<Target, NodeTargetError>>,
    pub(in crate::assigned_identity) pod_identities: PodIdentities,
    /// The verification of each wanted identity, and whether Azure has to be asked for it.
    pub(super) verifications: Vec<(Verification, bool)>,
}

impl IndexedPod {
    /// The wanted identities, each with its verification.
    pub(in crate::assigned_identity) fn wanted(
        &self,
    ) -> impl Iterator<Item = (&PodIdentity, &Verification)> {
        let verifications = self.verifications.iter();
        let verifications = verifications.map(|(verification, _)| verification);
        self.pod_identities.wanted.iter().zip(verifications)
    }

    /// The managed identities that the pod uses, each with what this means for the VM or scale set under it.
    pub(super) fn uses(&self) -> impl Iterator<Item = (&ArmId, IdentityUse)> {
        self.wanted().filter_map(|(wanted, verification)| {
            let identity = &wanted.identity;
            let identity_use = IdentityUse::of(identity, verification)?;
            Some((&identity.resource_id, identity_use))
        })
    }

    /// The managed identities about which Azure has to be asked.
    pub(super) fn checks(&self) -> impl Iterator<Item = &ArmId> {
        let both = self.pod_identities.wanted.iter().zip(&self.verifications);
        let asked = both.filter(|(_, (_, asked))| *asked);
        asked.map(|(wanted, _)| &wanted.identity.resource_id)
    }

    /// The profiles whose AzureIdentity the pod uses.
    pub(super) fn profiles(&self) -> impl Iterator<Item = ObjectKey> {
        let wanted = self.pod_identities.wanted.iter();
        wanted.filter_map(|one| one.identity.profile())
    }

    /// The VM or scale set that is to have the pod's identities.
    pub(in crate::assigned_identity) fn target(&self) -> Option<&Target> {
        self.target.as_ref()?.as_ref().ok()
    }
}
