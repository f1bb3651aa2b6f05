use std::collections::HashMap;
use std::sync::Arc;

use podid_core::assigned_identity::{AssignedIdentity, AssignmentState};
use podid_core::binding::ServingRules;
use podid_index::{Derive, ObjectKey, PodObjects};
use tokio::time::Instant;

use super::node_pod::NodePod;
use crate::pod_context::{PodContext, PrincipalLimits, ProfileClientIds};

/// Derives the context of a pod, and finds it by the pod's uid.
#[derive(Debug)]
pub(super) struct DeriveContext {
    rules: ServingRules,
    pub(super) of_profiles: ProfileClientIds,
    pub(super) principal_limits: PrincipalLimits,
    /// Since when an AzureAssignedIdentity is known to be assigned, and for which pod (uid).
    assigned: HashMap<ObjectKey, (String, Instant)>,
    by_uid: HashMap<String, Arc<PodContext>>,
}

impl DeriveContext {
    pub(super) fn new(rules: ServingRules) -> Self {
        Self {
            rules,
            of_profiles: ProfileClientIds::default(),
            principal_limits: PrincipalLimits::default(),
            assigned: HashMap::new(),
            by_uid: HashMap::new(),
        }
    }

    pub(super) fn context(&self, uid: &str) -> Option<&Arc<PodContext>> {
        self.by_uid.get(uid)
    }

    pub(super) fn contexts(&self) -> impl Iterator<Item = &Arc<PodContext>> {
        self.by_uid.values()
    }

    /// Notes when an AzureAssignedIdentity was first seen to be assigned to its pod.
    pub(super) fn date(
        &mut self,
        key: &ObjectKey,
        object: Option<&AssignedIdentity>,
        now: Instant,
    ) {
        let done = object.filter(|object| object.state == AssignmentState::Assigned);
        let Some(done) = done else {
            self.assigned.remove(key);
            return;
        };
        let known = self.assigned.get(key);
        if known.is_none_or(|(pod, _)| *pod != done.pod_uid) {
            let since = (done.pod_uid.clone(), now);
            self.assigned.insert(key.clone(), since);
        }
    }

    /// Since when an AzureAssignedIdentity is known to be assigned.
    pub(super) fn since(&self, key: &ObjectKey) -> Option<Instant> {
        self.assigned.get(key).map(|(_, since)| *since)
    }
}

impl Derive for DeriveContext {
    type Pod = NodePod;
    type Output = Arc<PodContext>;

    fn derive(&self, objects: &PodObjects<'_, NodePod>) -> Arc<PodContext> {
        let since = |(key, object): &(&ObjectKey, &AssignedIdentity)| {
            let (namespace, name) = &object.identity;
            Some((ObjectKey::new(namespace, name), self.since(key)?))
        };
        Arc::new(PodContext {
            caller: objects.pod.caller.clone(),
            bindings: objects.bindings.iter().copied().cloned().collect(),
            identities: objects.identities.iter().copied().cloned().collect(),
            exceptions: objects.exceptions.iter().copied().cloned().collect(),
            assigned: objects.assigned.iter().filter_map(since).collect(),
            assigned_identities: objects
                .assigned
                .iter()
                .map(|(_, made)| (*made).clone())
                .collect(),
            rules: self.rules,
            of_profiles: self.of_profiles.clone(),
            principal_limits: self.principal_limits.clone(),
        })
    }

    fn changed(
        &mut self,
        _: &ObjectKey,
        before: Option<&Arc<PodContext>>,
        after: Option<&Arc<PodContext>>,
    ) {
        if let Some(before) = before {
            self.by_uid.remove(&before.caller.pod.uid);
        }
        if let Some(after) = after {
            let uid = after.caller.pod.uid.clone();
            self.by_uid.insert(uid, Arc::clone(after));
        }
    }
}
