//! What the rest of the operator may ask about assignments.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use podid_core::arm::ArmId;
use podid_core::binding::Pod;
use podid_core::profile::pods::BoundPods;
use podid_core::target::{Target, TargetsWithIdentity};
use tokio::sync::mpsc;

use podid_index::ObjectKey;

use super::shared_index::SharedIndex;

/// The read side of assignment, shared with the profile controller. Clones share one state.
#[derive(Clone, Debug)]
pub struct AssignmentView {
    state: Arc<Mutex<State>>,
    counts: mpsc::UnboundedSender<BoundPodsChange>,
    targets_with_identity: mpsc::UnboundedSender<TargetsWithIdentityChange>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the watches have delivered everything. Only while this replica leads.
    known: bool,
    bound_pods: HashMap<ObjectKey, BoundPods>,
    /// Labelled pods on nodes that break the `NET_RAW` rule, whoever binds them.
    pods_breaking_rule: BTreeMap<ObjectKey, Pod>,
    /// The identities that each VM or scale set has through podid, or may have.
    on_targets: BTreeMap<Target, BTreeSet<ArmId>>,
    /// Who uses what; `None` before anything is known.
    uses: Option<SharedIndex>,
}

/// What changes about the answers of [`AssignmentView`]. Each kind has a channel of its own, so that none
/// waits for what is done about the other.
#[derive(Debug)]
pub struct AssignmentChanges {
    /// How many pods are bound.
    pub counts: mpsc::UnboundedReceiver<BoundPodsChange>,
    /// Where identities are.
    pub targets_with_identity: mpsc::UnboundedReceiver<TargetsWithIdentityChange>,
}

/// A change of what [`AssignmentView::bound_pods`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundPodsChange {
    /// From now on there are answers, about all AzureIdentities.
    AllKnown,
    /// The pods that are bound to this AzureIdentity, or how far they are.
    Identity(ObjectKey),
}

/// A change of what [`AssignmentView::still_assigned`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetsWithIdentityChange {
    /// From now on there are answers, about all identities and all pods.
    AllKnown,
    /// A VM or scale set has this identity now, or does not have it any more (released it).
    Identity(ArmId),
}

impl AssignmentView {
    /// The handle, and the changes for the one who acts on them.
    #[must_use]
    pub fn new() -> (Self, AssignmentChanges) {
        let (counts, counts_receiver) = mpsc::unbounded_channel();
        let (targets_with_identity, targets_receiver) = mpsc::unbounded_channel();
        let assignment_view = Self {
            state: Arc::default(),
            counts,
            targets_with_identity,
        };
        let changes = AssignmentChanges {
            counts: counts_receiver,
            targets_with_identity: targets_receiver,
        };
        (assignment_view, changes)
    }

    /// Which VMs and scale sets have the identity through podid. Delete an identity in Azure only after the
    /// answer [`TargetsWithIdentity::Nowhere`]; otherwise VMs and scale sets keep the id of an identity that
    /// does not exist any more.
    #[must_use]
    pub fn still_assigned(&self, identity: &ArmId) -> TargetsWithIdentity {
        let state = self.state();
        TargetsWithIdentity::of(identity, state.known.then_some(&state.on_targets))
    }

    /// Which VMs and scale sets have the identity through podid for the pods of a profile, those that its own
    /// binding gives the identity. One that only pods of others use the identity on does not count: it may
    /// keep the identity for ever. One that nobody uses it on is about to lose it.
    #[must_use]
    pub fn still_assigned_for(&self, identity: &ArmId, profile: &ObjectKey) -> TargetsWithIdentity {
        let uses = self.state().uses.clone();
        let still = self.still_assigned(identity);
        match uses {
            Some(uses) => {
                still.without(|target| uses.is_only_used_by_others(target, identity, profile))
            }
            None => still,
        }
    }

    /// The counts of the pods that are bound to a profile's AzureIdentity; `None` while they are not
    /// known.
    #[must_use]
    pub fn bound_pods(&self, identity: &ObjectKey) -> Option<BoundPods> {
        let state = self.state();
        state
            .known
            .then(|| state.bound_pods.get(identity).cloned().unwrap_or_default())
    }

    /// Labelled pods of a namespace that break the `NET_RAW` rule, by name, whether something binds
    /// them yet or not.
    #[must_use]
    pub fn pods_breaking_rule(&self, namespace: &str, selector: &str) -> Vec<Pod> {
        let state = self.state();
        let pods = state.pods_breaking_rule.values();
        let labelled = pods
            .filter(|pod| pod.namespace == namespace && pod.selector.as_deref() == Some(selector));
        labelled.cloned().collect()
    }

    pub(crate) fn set_pod_breaking_rule(&self, key: &ObjectKey, pod: Option<&Pod>) {
        let mut state = self.state();
        match pod.filter(|pod| !pod.breaches.is_empty()) {
            Some(pod) => state.pods_breaking_rule.insert(key.clone(), pod.clone()),
            None => state.pods_breaking_rule.remove(key),
        };
    }

    /// From here on the answers follow who uses what.
    pub(super) fn set_uses(&self, uses: SharedIndex) {
        self.state().uses = Some(uses);
    }

    /// Everything has been seen once: answers are true from here on.
    pub(crate) fn set_known(&self) {
        self.state().known = true;
        self.send_counts(BoundPodsChange::AllKnown);
        self.send(TargetsWithIdentityChange::AllKnown);
    }

    pub(crate) fn set_bound_pods(&self, identity: &ObjectKey, pods: BoundPods) {
        let before = match pods.bound {
            0 => self.state().bound_pods.remove(identity),
            _ => {
                let mut state = self.state();
                state.bound_pods.insert(identity.clone(), pods.clone())
            }
        };
        if before.unwrap_or_default() != pods {
            self.send_counts(BoundPodsChange::Identity(identity.clone()));
        }
    }

    pub(crate) fn set_on_target(&self, target: &Target, identities: BTreeSet<ArmId>) {
        let before = match identities.is_empty() {
            true => self.state().on_targets.remove(target),
            false => self
                .state()
                .on_targets
                .insert(target.clone(), identities.clone()),
        };
        let before = before.unwrap_or_default();
        for identity in before.symmetric_difference(&identities) {
            self.send(TargetsWithIdentityChange::Identity(identity.clone()));
        }
    }

    fn send_counts(&self, change: BoundPodsChange) {
        // The profile controller has stopped, and the operator stops.
        let _stopping = self.counts.send(change);
    }

    fn send(&self, change: TargetsWithIdentityChange) {
        // The profile controller has stopped, and the operator stops.
        let _stopping = self.targets_with_identity.send(change);
    }

    /// Nothing here can panic while the lock is held, so a poisoned state is still a true one.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assigned_identity::fake::{id, ids, target, used_by_others};

    #[test]
    fn nothing_is_answered_before_everything_is_known() {
        let (assignment_view, _changes) = AssignmentView::new();
        let web = ObjectKey::new("apps", "web");
        assert_eq!(
            assignment_view.still_assigned(&id("a")),
            TargetsWithIdentity::Unknown
        );
        assert_eq!(assignment_view.bound_pods(&web), None);
        assignment_view.set_known();
        assert_eq!(
            assignment_view.still_assigned(&id("a")),
            TargetsWithIdentity::Nowhere
        );
        assert_eq!(assignment_view.bound_pods(&web), Some(BoundPods::default()));
    }

    #[test]
    fn an_identity_that_only_others_use_is_not_the_profiles_any_more() {
        let (assignment_view, _changes) = AssignmentView::new();
        let cart = ObjectKey::new("apps", "cart");
        let still = |name| assignment_view.still_assigned_for(&id(name), &cart);
        assert_eq!(still("a"), TargetsWithIdentity::Unknown);
        assignment_view.set_on_target(&target(), ids(&["a", "b"]));
        assignment_view.set_known();
        let on_target = TargetsWithIdentity::On(vec![target()]);
        assert_eq!(still("a"), on_target, "nothing is known of others");
        assignment_view.set_uses(used_by_others());
        assert_eq!(still("a"), TargetsWithIdentity::Nowhere);
        assert_eq!(
            still("b"),
            on_target,
            "nobody uses it: it is on its way off"
        );
        assert_eq!(assignment_view.still_assigned(&id("a")), on_target);
        assignment_view.set_on_target(&target(), ids(&[]));
        assert_eq!(still("b"), TargetsWithIdentity::Nowhere);
    }

    #[test]
    fn each_change_is_told_once() {
        let (assignment_view, mut changes) = AssignmentView::new();
        assignment_view.set_known();
        let web = ObjectKey::new("apps", "web");
        let two = BoundPods {
            bound: 2,
            ..BoundPods::default()
        };
        assignment_view.set_bound_pods(&web, two.clone());
        assignment_view.set_bound_pods(&web, two.clone());
        assignment_view.set_on_target(&target(), ids(&["a", "b"]));
        assignment_view.set_on_target(&target(), ids(&["b"]));
        assert_eq!(assignment_view.bound_pods(&web), Some(two));
        assert_eq!(
            assignment_view.still_assigned(&id("a")),
            TargetsWithIdentity::Nowhere
        );
        assert_eq!(
            assignment_view.still_assigned(&id("B")),
            TargetsWithIdentity::On(vec![target()])
        );
        let targets = &mut changes.targets_with_identity;
        let sent: Vec<TargetsWithIdentityChange> =
            std::iter::from_fn(|| targets.try_recv().ok()).collect();
        let identity = |name| TargetsWithIdentityChange::Identity(id(name));
        let expected = [
            TargetsWithIdentityChange::AllKnown,
            identity("a"),
            identity("b"),
            identity("a"),
        ];
        assert_eq!(sent, expected);
        let counts = &mut changes.counts;
        let counted: Vec<BoundPodsChange> = std::iter::from_fn(|| counts.try_recv().ok()).collect();
        let expected = [BoundPodsChange::AllKnown, BoundPodsChange::Identity(web)];
        assert_eq!(counted, expected);
    }
}
