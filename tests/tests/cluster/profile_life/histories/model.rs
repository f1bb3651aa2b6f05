//! What is desired after a history, by what people asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::history::Asked;
use crate::stage::{SET, SET_NODES};

/// A pod that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) name: String,
    pub(super) selector: u64,
    pub(super) node: &'static str,
}

/// Profiles that exist and pods that run.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) profiles: BTreeMap<u64, Asked>,
    pub(super) pods: Vec<Running>,
    /// Profiles whose identity may have been kept when they were deleted.
    pub(super) kept: BTreeSet<u64>,
}

impl Model {
    pub(super) fn apply(&mut self, profile: u64, asked: Asked) {
        self.kept.remove(&profile);
        self.profiles.insert(profile, asked);
    }

    /// Forgets the profile, and names the pods that no profile is left for.
    pub(super) fn delete(&mut self, profile: u64) -> Vec<Running> {
        let Some(asked) = self.profiles.remove(&profile) else {
            return Vec::new();
        };
        if asked.retains {
            self.kept.insert(profile);
        }
        let (gone, stay) = std::mem::take(&mut self.pods)
            .into_iter()
            .partition(|pod| pod.selector == asked.selector);
        self.pods = stay;
        gone
    }

    /// The pods that have the profile's identity.
    pub(super) fn pods_of(&self, profile: u64) -> impl Iterator<Item = &Running> {
        let selector = self.profiles.get(&profile).map(|asked| asked.selector);
        let pods = self.pods.iter();
        pods.filter(move |pod| Some(pod.selector) == selector)
    }

    /// Each assignment: the pod's name, the profile and the machine.
    pub(super) fn assignments(&self) -> BTreeSet<(String, u64, &'static str)> {
        let profiles = self.profiles.keys();
        let of = |profile: &u64| {
            let profile = *profile;
            self.pods_of(profile)
                .map(move |pod| (pod.name.clone(), profile, machine(pod.node)))
        };
        profiles.flat_map(of).collect()
    }
}

/// The machine under a node.
fn machine(node: &'static str) -> &'static str {
    match SET_NODES.contains(&node) {
        true => SET,
        false => node,
    }
}
