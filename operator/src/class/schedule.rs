//! When each class is compared with Azure again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::{Resource, ResourceExt};
use podid_crds::podid::PodIdentityClass;
use tokio::time::Instant;

use crate::annotations::REQUESTED_AT;

/// What was compared last, by name of the class. A class is reconciled whenever one of its profiles
/// comes or goes, and that must not cause a call each time. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Schedule(Arc<Mutex<HashMap<String, Comparison>>>);

#[derive(Debug)]
struct Comparison {
    /// What was compared.
    version: Version,
    due: Instant,
}

/// Uid, generation, and the last request of a person.
type Version = (Option<String>, Option<i64>, Option<String>);

impl Schedule {
    /// How long the class, as it is written now, need not be compared; `None` when it is due.
    pub(super) fn rest(&self, class: &PodIdentityClass) -> Option<Duration> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(&class.name_any())?;
        let rest = entry.due.saturating_duration_since(Instant::now());
        (entry.version == version(class) && !rest.is_zero()).then_some(rest)
    }

    /// The class was compared, and is to be compared again after `wait`.
    pub(super) fn done(&self, class: &PodIdentityClass, wait: Duration) {
        let entry = Comparison {
            version: version(class),
            due: Instant::now() + wait,
        };
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.insert(class.name_any(), entry);
    }
}

fn version(class: &PodIdentityClass) -> Version {
    let requested = class.annotations().get(REQUESTED_AT).cloned();
    (class.uid(), class.meta().generation, requested)
}
