//! Pods that break the rule or are refused for another cause, as far as they are named.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Breach, describe};

/// The first pods of a kind by name, each with the cause, and how many
/// there are in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NamedPods {
    /// Pods by name; at most [`MAX_NAMED`](Self::MAX_NAMED).
    pub first: BTreeMap<String, String>,
    /// How many there are.
    pub count: usize,
}

impl NamedPods {
    /// How many pods are named where pods are listed.
    pub const MAX_NAMED: usize = 20;

    /// Adds a pod that breaks the rule in these ways.
    pub fn add(&mut self, pod: &str, breaches: &BTreeSet<Breach>) {
        self.add_because(pod, describe(breaches));
    }

    /// Adds a pod that is named for this cause.
    pub fn add_because(&mut self, pod: &str, cause: String) {
        self.count += 1;
        self.first.insert(pod.to_owned(), cause);
        if self.first.len() > Self::MAX_NAMED {
            self.first.pop_last();
        }
    }

    /// As `web-0 (container app does not drop NET_RAW), web-1 (…) and others`. Without a number, so
    /// that the text does not change with every pod that is added or deleted.
    #[must_use]
    pub fn sentence(&self, max: usize) -> String {
        let named = self.first.iter().take(max);
        let named: Vec<String> = named.map(|(pod, why)| format!("{pod} ({why})")).collect();
        let others = if self.count > named.len() {
            " and others"
        } else {
            ""
        };
        format!("{}{others}", named.join(", "))
    }
}
