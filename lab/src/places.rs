//! Where commands can run now: the control plane, each node, each pod.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::options::Target;

/// What a command needs to enter a [`Target`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Process, as numbered inside the lab, whose network, mount and host
    /// name namespaces the command joins.
    pub pid: u32,
    /// Directory of the cgroup (version 2) the command joins.
    pub cgroup: PathBuf,
    /// Its address, where it has one.
    pub address: Option<IpAddr>,
    /// Environment set for the command, over the caller's.
    pub env: BTreeMap<String, String>,
}

/// The registry of places, written by `net` and `kubelet`, read by `exec`.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<RwLock<BTreeMap<Target, Place>>>);

impl Places {
    /// Makes `target` enterable, replacing what was known of it.
    pub fn insert(&self, target: Target, place: Place) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(target, place);
    }

    /// Forgets `target`.
    pub fn remove(&self, target: &Target) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(target);
    }

    /// The place of `target`, if it is there now.
    pub fn get(&self, target: &Target) -> Option<Place> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(target)
            .cloned()
    }

    /// All targets with their places, in order.
    pub fn list(&self) -> Vec<(Target, Place)> {
        let places = self.0.read().unwrap_or_else(PoisonError::into_inner);
        places
            .iter()
            .map(|(target, place)| (target.clone(), place.clone()))
            .collect()
    }
}
