//! One watch on the API server for each kind, shared by all controllers of the process.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{Lookup, ObjectRef, Store, store::Writer};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use podid_runtime::{BoxError, Drain, ReadinessCheck};
use serde::de::DeserializeOwned;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// How many changes a slow reader may be behind before it looks at everything instead.
const BUFFER: usize = 1024;

/// What is bounded on a kind that can be watched.
pub trait Watched:
    Resource<DynamicType = ()>
    + Lookup<DynamicType = ()>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType = ()>
        + Lookup<DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// An object that exists and cannot be read as its kind.
pub type Malformed = kube::core::error_boundary::InvalidObject;

/// The objects of one kind, as the API server tells.
#[derive(Clone, Debug)]
pub struct Watch<K: Watched> {
    store: Store<K>,
    touched: broadcast::Sender<Arc<K>>,
    /// Whether everything has been seen once. The store's own `wait_until_ready` wakes one waiter
    /// only, and that is the controller of the kind.
    seen: tokio::sync::watch::Sender<bool>,
}

/// The writing side of a [`Watch`], to be run as a task.
#[derive(Debug)]
pub struct Feed<K: Watched> {
    api: Api<DeserializeGuard<K>>,
    watch: Watch<K>,
    writer: Writer<K>,
    check: Option<ReadinessCheck>,
}

impl<K: Watched> Watch<K> {
    /// A watch, and the feed that must run for it. `check` passes when everything has been seen.
    #[must_use]
    pub fn new(api: Api<DeserializeGuard<K>>, check: ReadinessCheck) -> (Self, Feed<K>) {
        let writer = Writer::default();
        let watch = Self {
            store: writer.as_reader(),
            touched: broadcast::Sender::new(BUFFER),
            seen: tokio::sync::watch::Sender::new(false),
        };
        (
            watch.clone(),
            Feed {
                api,
                watch,
                writer,
                check: Some(check),
            },
        )
    }

    /// What is there.
    #[must_use]
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Waits until everything has been seen once; says no when the process drains before.
    ///
    /// # Errors
    /// The watch has ended.
    pub async fn seen(&self, drain: &Drain) -> Result<bool, BoxError> {
        let mut seen = self.seen.subscribe();
        tokio::select! {
            known = seen.wait_for(|seen| *seen) => Ok(*known?),
            () = drain.draining() => Ok(false),
        }
    }

    /// Every object that is there, then each that is added, changed or deleted. A reader that
    /// falls far behind is told of every object again, so that it misses no change of one that
    /// still exists.
    pub fn touched(&self) -> impl Stream<Item = Arc<K>> + Send + 'static {
        let (store, receiver) = (self.store(), self.touched.subscribe());
        let now = store.state();
        let changes = stream::unfold((store, receiver), |(store, mut receiver)| async move {
            let touched = match receiver.recv().await {
                Ok(object) => vec![object],
                Err(RecvError::Lagged(_)) => store.state(),
                Err(RecvError::Closed) => return None,
            };
            Some((stream::iter(touched), (store, receiver)))
        });
        stream::iter(now).chain(changes.flatten())
    }
}

impl<K: Watched> Feed<K> {
    /// Runs for ever. An object that cannot be read counts as absent and is handed to
    /// `malformed`; it does not disturb the others.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub async fn run(
        mut self,
        mut malformed: impl FnMut(Malformed) + Send,
    ) -> Result<(), BoxError> {
        let events = watcher(self.api.clone(), watcher::Config::default()).default_backoff();
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(event, &mut malformed),
                Err(error) => {
                    let kind = <K as Resource>::kind(&());
                    tracing::warn!(%kind, error = &error as &dyn Error, "watch interrupted; trying again");
                }
            }
        }
        Err("the watch ended".into())
    }

    fn take(
        &mut self,
        event: watcher::Event<DeserializeGuard<K>>,
        malformed: &mut impl FnMut(Malformed),
    ) {
        match event {
            watcher::Event::Init => self.writer.apply_watcher_event(&watcher::Event::Init),
            watcher::Event::InitApply(object) => {
                if let Some(object) = read(object, malformed) {
                    self.writer
                        .apply_watcher_event(&watcher::Event::InitApply(object));
                }
            }
            watcher::Event::InitDone => self.relisted(),
            watcher::Event::Apply(object) => {
                let key = key_of::<K>(&object);
                match read(object, malformed) {
                    Some(object) => {
                        let touched = Arc::new(object.clone());
                        self.writer
                            .apply_watcher_event(&watcher::Event::Apply(object));
                        self.tell(touched);
                    }
                    None => self.forget(&key),
                }
            }
            watcher::Event::Delete(object) => self.forget(&key_of::<K>(&object)),
        }
    }

    /// A new listing replaces what was known; what it lacks has gone meanwhile.
    fn relisted(&mut self) {
        let before = self.watch.store.state();
        self.writer.apply_watcher_event(&watcher::Event::InitDone);
        let gone = |object: &Arc<K>| self.watch.store.get(&key_of(object.as_ref())).is_none();
        let gone: Vec<Arc<K>> = before.into_iter().filter(gone).collect();
        gone.into_iter()
            .chain(self.watch.store.state())
            .for_each(|object| self.tell(object));
        self.watch.seen.send_replace(true);
        self.check = None;
    }

    fn forget(&mut self, key: &ObjectRef<K>) {
        if let Some(object) = self.watch.store.get(key) {
            self.writer
                .apply_watcher_event(&watcher::Event::Delete(object.as_ref().clone()));
            self.tell(object);
        }
    }

    fn tell(&self, object: Arc<K>) {
        // Without readers nobody needs to be told.
        let _nobody = self.watch.touched.send(object);
    }
}

fn key_of<K: Watched>(object: &impl Resource) -> ObjectRef<K> {
    let meta = object.meta();
    let key = ObjectRef::new(meta.name.as_deref().unwrap_or_default());
    match &meta.namespace {
        Some(namespace) => key.within(namespace),
        None => key,
    }
}

fn read<K: Watched>(
    object: DeserializeGuard<K>,
    malformed: &mut impl FnMut(Malformed),
) -> Option<K> {
    match object.0 {
        Ok(object) => Some(object),
        Err(invalid) => {
            let (kind, meta) = (<K as Resource>::kind(&()), &invalid.metadata);
            let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
            tracing::warn!(%kind, namespace, name, error = %invalid.error, "ignored: not readable");
            malformed(invalid);
            None
        }
    }
}

#[cfg(test)]
mod tests;
