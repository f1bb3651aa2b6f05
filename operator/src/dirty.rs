//! What one part hands to another to be looked at again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Keys that one part has to look at again, each once however often it was added. There is one reader.
/// Clones share one set.
#[derive(Debug)]
pub(crate) struct DirtySet<K>(Arc<Shared<K>>);

#[derive(Debug)]
struct Shared<K> {
    keys: Mutex<BTreeSet<K>>,
    added: Notify,
}

impl<K> Clone for DirtySet<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for DirtySet<K> {
    fn default() -> Self {
        Self(Arc::new(Shared {
            keys: Mutex::new(BTreeSet::new()),
            added: Notify::new(),
        }))
    }
}

impl<K: Ord> DirtySet<K> {
    pub(crate) fn add(&self, keys: impl IntoIterator<Item = K>) {
        // Nothing can panic while the lock is held, so a poisoned set is still a true one.
        let mut set = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
        set.extend(keys);
        if !set.is_empty() {
            self.0.added.notify_one();
        }
    }

    /// All keys that were added since this was last called.
    pub(crate) fn take(&self) -> BTreeSet<K> {
        std::mem::take(&mut *self.0.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there are keys, and takes them all. A call that is cancelled loses none.
    pub(crate) async fn next(&self) -> BTreeSet<K> {
        loop {
            let keys = self.take();
            if !keys.is_empty() {
                return keys;
            }
            self.0.added.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn each_key_is_taken_once_and_none_is_lost() {
        let set = DirtySet::default();
        assert_eq!(set.next().now_or_never(), None);
        set.add([2, 1]);
        set.add([1]);
        assert_eq!(set.next().await, [1, 2].into());
        assert_eq!(set.next().now_or_never(), None);
        let mut waiting = Box::pin(set.next());
        assert_eq!(waiting.as_mut().now_or_never(), None);
        set.clone().add([3]);
        drop(waiting);
        assert_eq!(set.next().await, [3].into(), "the cancelled call took none");
    }
}
