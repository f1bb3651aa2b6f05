//! When each class is compared with Azure again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::{Resource, ResourceExt};
use podid_core::class::azure::{Answer, Question};
use podid_core::class::{ClassComparison, ClassVersion};
use podid_crds::podid::PodIdentityClass;

use crate::annotations::REQUESTED_AT;
use crate::clock::MonotonicClock;

/// What was compared last, by name of the class. A class is reconciled whenever one of its profiles
/// comes or goes, and that must not cause a call each time. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    comparisons: Arc<Mutex<HashMap<String, ClassComparison>>>,
    clock: MonotonicClock,
}

impl Schedule {
    /// How long the class, as it is written now, need not be compared; `None` when it is due.
    pub(super) fn rest(&self, class: &PodIdentityClass) -> Option<Duration> {
        let comparisons = self.comparisons();
        let last = comparisons.get(&class.name_any())?;
        last.rest(&version(class), self.clock.now())
    }

    /// What Azure has answered about the class, as it is written now, in a comparison that is to be continued.
    pub(super) fn answers(&self, class: &PodIdentityClass) -> Vec<(Question, Answer)> {
        let comparisons = self.comparisons();
        let last = comparisons.get(&class.name_any());
        let last = last.filter(|last| last.version == version(class));
        last.map(|last| last.answers.clone()).unwrap_or_default()
    }

    /// The class was compared, and is to be compared again after `wait`.
    pub(super) fn done(&self, class: &PodIdentityClass, wait: Duration) {
        self.held_back(class, wait, Vec::new());
    }

    /// So far there are these answers about the class, and the rest is to be asked after `wait`.
    pub(super) fn held_back(
        &self,
        class: &PodIdentityClass,
        wait: Duration,
        answers: Vec<(Question, Answer)>,
    ) {
        let comparison = ClassComparison {
            version: version(class),
            due: self.clock.now() + wait,
            answers,
        };
        self.comparisons().insert(class.name_any(), comparison);
    }

    /// Nothing here can panic while the lock is held, so a poisoned state is still a true one.
    fn comparisons(&self) -> MutexGuard<'_, HashMap<String, ClassComparison>> {
        let comparisons = self.comparisons.lock();
        comparisons.unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(class: &PodIdentityClass) -> ClassVersion {
    ClassVersion {
        uid: class.uid(),
        generation: class.meta().generation,
        requested: class.annotations().get(REQUESTED_AT).cloned(),
    }
}
