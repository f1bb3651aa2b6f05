//! What the triggers of several controllers are made from.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::{Stream, StreamExt, TryStreamExt, stream};
use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use podid_crds::podid::PodIdentityClass;
use podid_index::watch::{Watch, Watched};
use tokio::sync::mpsc;

pub(crate) type Trigger<K> = Result<K, watcher::Error>;

/// What comes out of a channel.
pub(crate) fn received<T: Send + 'static>(
    receiver: mpsc::UnboundedReceiver<T>,
) -> impl Stream<Item = T> + Send + 'static {
    stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|item| (item, receiver))
    })
}

/// The objects of a watch, each whenever it changes, comes or goes.
pub(crate) fn touched<K: Watched>(
    watch: &Watch<K>,
) -> impl Stream<Item = Trigger<K>> + Send + 'static {
    watch
        .touched()
        .map(|object| Ok(object.as_ref().clone()))
        .into_stream()
}

/// Whether a class exists.
pub(crate) fn is_there(
    watch: &Watch<PodIdentityClass>,
) -> impl Fn(&PodIdentityClass) -> Option<u64> + Send + 'static {
    let store = watch.store();
    move |class| Some(u64::from(store.get(&ObjectRef::from_obj(class)).is_some()))
}

/// An object made again under the same name starts at the same generation.
pub(crate) fn uid<K: Resource>(object: &K) -> Option<u64> {
    Some(hash(&object.meta().uid))
}

/// A value that predicates compare; equal for equal values.
pub(crate) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
