use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// A map from a key to a set of values. Invariant: it keeps no empty set, so that the
/// map does not grow with keys that came and went.
#[derive(Clone, Debug)]
pub struct Multi<K, V>(HashMap<K, BTreeSet<V>>);

impl<K, V> Default for Multi<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V: Ord> Multi<K, V> {
    /// Adds a value; whether it is the first of the key.
    pub fn insert(&mut self, key: K, value: V) -> bool {
        let values = self.0.entry(key).or_default();
        values.insert(value) && values.len() == 1
    }

    /// Takes a value away; whether it was the last of the key.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, value: &V) -> bool
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

    /// The values of a key; `None` when it has none.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&BTreeSet<V>>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// The keys that have values, each with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &BTreeSet<V>)> {
        self.0.iter()
    }

    /// The keys that have values.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    #[allow(missing_docs, reason = "the name is enough")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
