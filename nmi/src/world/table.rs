//! Objects of one kind, following a watch.

use std::collections::{BTreeMap, BTreeSet};

use kube::runtime::watcher::Event;

use crate::key::Key;

/// An event of a watch. An object that makes no sense has no value, and counts as not there.
pub(crate) type Update<V> = Event<(Key, Option<V>)>;

/// What is there now.
#[derive(Debug)]
pub(crate) struct Table<V> {
    rows: BTreeMap<Key, V>,
    /// What a new list has brought so far.
    listing: Option<BTreeMap<Key, V>>,
    listed: bool,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            listing: None,
            listed: false,
        }
    }
}

impl<V: PartialEq> Table<V> {
    /// Takes an event in. Returns the keys that changed; `None` when nothing did. The end of the
    /// first list counts as a change.
    pub(crate) fn apply(&mut self, update: Update<V>) -> Option<BTreeSet<Key>> {
        match update {
            Event::Init => {
                self.listing = Some(BTreeMap::new());
                None
            }
            Event::InitApply((key, value)) => {
                if let (Some(listing), Some(value)) = (&mut self.listing, value) {
                    listing.insert(key, value);
                }
                None
            }
            Event::InitDone => self.replace(),
            Event::Apply((key, Some(value))) => self.put(key, value),
            Event::Apply((key, None)) | Event::Delete((key, _)) => {
                self.rows.remove(&key).map(|_| BTreeSet::from([key]))
            }
        }
    }

    fn put(&mut self, key: Key, value: V) -> Option<BTreeSet<Key>> {
        if self.rows.get(&key) == Some(&value) {
            return None;
        }
        self.rows.insert(key.clone(), value);
        Some(BTreeSet::from([key]))
    }

    fn replace(&mut self) -> Option<BTreeSet<Key>> {
        let fresh = self.listing.take()?;
        let keys: BTreeSet<&Key> = self.rows.keys().chain(fresh.keys()).collect();
        let changed: BTreeSet<Key> = keys
            .into_iter()
            .filter(|key| self.rows.get(key) != fresh.get(key))
            .cloned()
            .collect();
        let first = !std::mem::replace(&mut self.listed, true);
        self.rows = fresh;
        (first || !changed.is_empty()).then_some(changed)
    }

    /// Whether a list has been completed.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&V> {
        self.rows.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &V)> {
        self.rows.iter()
    }

    /// The rows' keys by a property of theirs.
    pub(crate) fn index(&self, property: impl Fn(&V) -> String) -> BTreeMap<String, BTreeSet<Key>> {
        let mut index: BTreeMap<String, BTreeSet<Key>> = BTreeMap::new();
        for (key, value) in &self.rows {
            index
                .entry(property(value))
                .or_default()
                .insert(key.clone());
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("ns", name)
    }

    fn keys(names: &[&str]) -> Option<BTreeSet<Key>> {
        Some(names.iter().map(|name| key(name)).collect())
    }

    fn listed(values: &[(&str, u8)]) -> Table<u8> {
        let mut table = Table::default();
        relist(&mut table, values);
        table
    }

    fn relist(table: &mut Table<u8>, values: &[(&str, u8)]) -> Option<BTreeSet<Key>> {
        table.apply(Event::Init);
        for (name, value) in values {
            table.apply(Event::InitApply((key(name), Some(*value))));
        }
        table.apply(Event::InitDone)
    }

    #[test]
    fn a_second_list_changes_only_what_differs() {
        let mut table = listed(&[("a", 1), ("b", 2)]);
        assert_eq!(
            relist(&mut table, &[("b", 3), ("c", 4)]),
            keys(&["a", "b", "c"])
        );
        assert_eq!(relist(&mut table, &[("b", 3), ("c", 4)]), None);
        assert_eq!(table.get(&key("a")), None);
    }

    #[test]
    fn rows_stay_while_a_list_is_under_way() {
        let mut table = listed(&[("a", 1)]);
        table.apply(Event::Init);
        assert_eq!(table.get(&key("a")), Some(&1));
    }

    #[test]
    fn an_object_that_makes_no_sense_any_more_is_gone() {
        let mut table = listed(&[("a", 1)]);
        assert_eq!(table.apply(Event::Apply((key("a"), None))), keys(&["a"]));
        assert_eq!(table.get(&key("a")), None);
    }

    #[test]
    fn an_empty_first_list_is_news() {
        let mut table = Table::<u8>::default();
        assert!(!table.is_listed());
        assert_eq!(relist(&mut table, &[]), keys(&[]));
        assert!(table.is_listed());
    }
}
