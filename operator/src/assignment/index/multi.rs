//! A map to sets.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// A map to sets that keeps no empty set.
#[derive(Clone, Debug)]
pub(super) struct Multi<K, V>(HashMap<K, BTreeSet<V>>);

impl<K, V> Default for Multi<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V: Ord> Multi<K, V> {
    /// Whether this is the first value of the key.
    pub(super) fn insert(&mut self, key: K, value: V) -> bool {
        let values = self.0.entry(key).or_default();
        values.insert(value) && values.len() == 1
    }

    /// Whether this was the last value of the key.
    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, value: &V) -> bool
    where
        K: Borrow<Q>,
    {
        let Some(values) = self.0.get_mut(key) else {
            return false;
        };
        let last = values.remove(value) && values.is_empty();
        if last {
            self.0.remove(key);
        }
        last
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&BTreeSet<V>>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
