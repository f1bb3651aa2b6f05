use std::fmt::Debug;

use podid_core::assigned_identity::AssignedIdentity;
use podid_core::binding::{AzureIdentity, Binding, Pod};
use podid_core::resolve::Exception;
use podid_core::target::{NodeTargetError, Target};

use crate::ObjectKey;

/// A pod as an [`Index`](crate::Index) keeps it: what its owner needs of it, and what the objects that concern it are found by.
pub trait PodOnNode: Debug + PartialEq {
    /// What binds it to identities.
    fn pod(&self) -> &Pod;
    /// Name of the node that it was scheduled to; empty when that does not matter to the owner.
    fn node(&self) -> &str;
}

/// All objects that concern one pod, each in the order of its key.
#[derive(Debug)]
pub struct PodObjects<'a, P> {
    #[allow(missing_docs, reason = "the name is enough")]
    pub pod: &'a P,
    /// The VM or scale set under the pod's node; `None` while the node is not known.
    pub target: Option<&'a Result<Target, NodeTargetError>>,
    /// Bindings whose selector is the pod's label, from any namespace.
    pub bindings: Vec<&'a Binding>,
    /// The AzureIdentities that these bindings name, as far as they exist; each once.
    pub identities: Vec<&'a AzureIdentity>,
    /// Exceptions of the pod's namespace.
    pub exceptions: Vec<&'a Exception>,
    /// AzureAssignedIdentities that the pod owns, by its uid.
    pub assigned: Vec<(&'a ObjectKey, &'a AssignedIdentity)>,
}

impl<P> PodObjects<'_, P> {
    /// How many objects these are, the pod among them.
    pub(super) fn count(&self) -> usize {
        1 + usize::from(self.target.is_some())
            + self.bindings.len()
            + self.identities.len()
            + self.exceptions.len()
            + self.assigned.len()
    }
}

/// What an [`Index`](crate::Index) derives for each pod.
pub trait Derive {
    #[allow(missing_docs, reason = "the name is enough")]
    type Pod: PodOnNode;
    /// What follows for a pod from the objects that concern it.
    type Output: Debug + PartialEq;

    /// Derives the output of a pod. It must depend on nothing but `objects` and what `self` knows; whoever
    /// changes the latter has the pods that it concerns [derived again](crate::Index::rederive).
    fn derive(&self, objects: &PodObjects<'_, Self::Pod>) -> Self::Output;

    /// What follows for a pod is not what it was: keeps further maps in step. `None` stands for a pod
    /// that is not there (yet, or any more).
    fn changed(
        &mut self,
        _pod: &ObjectKey,
        _before: Option<&Self::Output>,
        _after: Option<&Self::Output>,
    ) {
    }
}
