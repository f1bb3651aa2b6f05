//! What the rest of the operator may ask about assignments.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use podid_core::arm::ArmId;
use podid_core::binding::Pod;
use podid_core::profile::pods::BoundPods;
use podid_core::target::Target;
use tokio::sync::mpsc;

use super::ObjectKey;

/// The read side of assignment, shared with the profile controller. Clones share one state.
#[derive(Clone, Debug)]
pub struct Assignments {
    state: Arc<Mutex<State>>,
    changes: mpsc::UnboundedSender<Change>,
}

#[derive(Debug, Default)]
struct State {
    known: bool,
    bound_pods: HashMap<ObjectKey, BoundPods>,
    /// Labelled pods on nodes that break the `NET_RAW` rule, whoever binds them.
    breaking: BTreeMap<ObjectKey, Pod>,
    carried: BTreeMap<Target, BTreeSet<ArmId>>,
}

/// Where an identity is on machines through us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// Not known yet: the watches have not delivered everything, or this replica does not lead.
    Unknown,
    /// On none: it may be deleted.
    Nowhere,
    /// On these, or on its way there or back.
    On(Vec<Target>),
}

/// Something that an answer of [`Assignments`] depends on has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// From now on there are answers.
    Known,
    /// The pods that are bound to this AzureIdentity come to something else than before.
    BoundPods(ObjectKey),
    /// An identity came on a machine or left it.
    Carried(ArmId),
}

impl Assignments {
    /// The handle, and the changes for the one who acts on them.
    #[must_use]
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Change>) {
        let (changes, receiver) = mpsc::unbounded_channel();
        (
            Self {
                state: Arc::default(),
                changes,
            },
            receiver,
        )
    }

    /// Which machines carry the identity through us. Whoever deletes an identity in Azure waits
    /// for [`Carried::Nowhere`], or machines keep the id of something that is gone.
    #[must_use]
    pub fn still_assigned(&self, identity: &ArmId) -> Carried {
        let state = self.state();
        if !state.known {
            return Carried::Unknown;
        }
        let carriers = state
            .carried
            .iter()
            .filter(|(_, ids)| ids.contains(identity));
        let targets: Vec<Target> = carriers.map(|(target, _)| target.clone()).collect();
        if targets.is_empty() {
            Carried::Nowhere
        } else {
            Carried::On(targets)
        }
    }

    /// What the pods come to that are bound to a profile's AzureIdentity; `None` while that is not
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
    pub fn breaking(&self, namespace: &str, selector: &str) -> Vec<Pod> {
        let state = self.state();
        let pods = state.breaking.values();
        let labelled = pods
            .filter(|pod| pod.namespace == namespace && pod.selector.as_deref() == Some(selector));
        labelled.cloned().collect()
    }

    pub(crate) fn set_breaking(&self, key: &ObjectKey, pod: Option<&Pod>) {
        let mut state = self.state();
        match pod.filter(|pod| !pod.breaches.is_empty()) {
            Some(pod) => state.breaking.insert(key.clone(), pod.clone()),
            None => state.breaking.remove(key),
        };
    }

    /// Everything has been seen once: answers are true from here on.
    pub(crate) fn set_known(&self) {
        self.state().known = true;
        self.tell(Change::Known);
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
            self.tell(Change::BoundPods(identity.clone()));
        }
    }

    pub(super) fn set_carried(&self, target: &Target, identities: BTreeSet<ArmId>) {
        let before = match identities.is_empty() {
            true => self.state().carried.remove(target),
            false => self
                .state()
                .carried
                .insert(target.clone(), identities.clone()),
        };
        let before = before.unwrap_or_default();
        for identity in before.symmetric_difference(&identities) {
            self.tell(Change::Carried(identity.clone()));
        }
    }

    fn tell(&self, change: Change) {
        // Nobody listens when the profile controller has stopped; then nobody needs to know.
        let _ = self.changes.send(change);
    }

    /// Nothing here can panic while the lock is held, so a poisoned state is still a true one.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::fake::{id, ids, target};

    #[test]
    fn nothing_is_answered_before_everything_is_known() {
        let (assignments, _changes) = Assignments::new();
        let web = ObjectKey::new("apps", "web");
        assert_eq!(assignments.still_assigned(&id("a")), Carried::Unknown);
        assert_eq!(assignments.bound_pods(&web), None);
        assignments.set_known();
        assert_eq!(assignments.still_assigned(&id("a")), Carried::Nowhere);
        assert_eq!(assignments.bound_pods(&web), Some(BoundPods::default()));
    }

    #[test]
    fn each_change_is_told_once() {
        let (assignments, mut changes) = Assignments::new();
        assignments.set_known();
        let web = ObjectKey::new("apps", "web");
        let two = BoundPods {
            bound: 2,
            ..BoundPods::default()
        };
        assignments.set_bound_pods(&web, two.clone());
        assignments.set_bound_pods(&web, two.clone());
        assignments.set_carried(&target(), ids(&["a", "b"]));
        assignments.set_carried(&target(), ids(&["b"]));
        assert_eq!(assignments.bound_pods(&web), Some(two));
        assert_eq!(assignments.still_assigned(&id("a")), Carried::Nowhere);
        assert_eq!(
            assignments.still_assigned(&id("B")),
            Carried::On(vec![target()])
        );
        let told: Vec<Change> = std::iter::from_fn(|| changes.try_recv().ok()).collect();
        let carried = |name| Change::Carried(id(name));
        let expected = [
            Change::Known,
            Change::BoundPods(web),
            carried("a"),
            carried("b"),
            carried("a"),
        ];
        assert_eq!(told, expected);
    }
}
