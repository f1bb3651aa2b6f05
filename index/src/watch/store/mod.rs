//! One watch for each kind whose whole objects are needed, shared by all controllers of the process.

use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{Lookup, ObjectRef, Store, store::Writer};
use kube::runtime::watcher;
use kube::{Api, Resource};
use podid_runtime::{BoxError, Drain, ReadinessCheck};
use serde::de::DeserializeOwned;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::{Malformed, WatchFact, facts};
use crate::ObjectKey;

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

/// The objects of one kind, as the API server has them.
#[derive(Clone, Debug)]
pub struct Watch<K: Watched> {
    store: Store<K>,
    touched: broadcast::Sender<Arc<K>>,
    /// Whether everything has been listed once. The store's own `wait_until_ready` wakes one waiter
    /// only, and that is the controller of the kind.
    seen: tokio::sync::watch::Sender<bool>,
}

/// The writing side of a [`Watch`], to be run as a task.
#[derive(Debug)]
pub struct WatchTask<K: Watched> {
    api: Api<DeserializeGuard<K>>,
    watch: Watch<K>,
    writer: Writer<K>,
    check: Option<ReadinessCheck>,
    reduce: fn(&mut K),
}

impl<K: Watched> Watch<K> {
    /// A watch, and the task that must run for it. `check` passes when everything has been listed.
    #[must_use]
    pub fn new(api: Api<DeserializeGuard<K>>, check: ReadinessCheck) -> (Self, WatchTask<K>) {
        let writer = Writer::default();
        let watch = Self {
            store: writer.as_reader(),
            touched: broadcast::Sender::new(BUFFER),
            seen: tokio::sync::watch::Sender::new(false),
        };
        (
            watch.clone(),
            WatchTask {
                api,
                watch,
                writer,
                check: Some(check),
                reduce: |_| {},
            },
        )
    }

    /// What is there.
    #[must_use]
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Waits until everything has been listed once; `false` when the process drains before.
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
    /// falls far behind is given every object again, so that it misses no change of one that
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

impl<K: Watched> WatchTask<K> {
    /// Keeps of each object only what `reduce` leaves in it. Its name and namespace must stay.
    #[must_use]
    pub fn reduced(self, reduce: fn(&mut K)) -> Self {
        Self { reduce, ..self }
    }

    /// Runs for ever. An object that cannot be read counts as absent and is handed to
    /// `malformed`; it does not disturb the others.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub async fn run(
        mut self,
        malformed: impl FnMut(Malformed) + Send + 'static,
    ) -> Result<(), BoxError> {
        let config = watcher::Config::default();
        let mut facts = std::pin::pin!(facts(self.api.clone(), config, malformed));
        while let Some(fact) = facts.next().await {
            self.take(fact);
        }
        Err("the watch ended".into())
    }

    fn take(&mut self, fact: WatchFact<K>) {
        match fact {
            WatchFact::Present(_, mut object) => {
                (self.reduce)(&mut object);
                let touched = Arc::new(object.clone());
                self.writer
                    .apply_watcher_event(&watcher::Event::Apply(object));
                self.publish(touched);
            }
            WatchFact::Gone(key) => {
                if let Some(object) = self.watch.store.get(&reference(&key)) {
                    self.writer
                        .apply_watcher_event(&watcher::Event::Delete(object.as_ref().clone()));
                    self.publish(object);
                }
            }
            WatchFact::Listed if *self.watch.seen.borrow() => {}
            WatchFact::Listed => self.listed_first(),
        }
    }

    /// The store becomes ready, for which kube wants to be given a listing.
    fn listed_first(&mut self) {
        let objects = self.watch.store.state();
        self.writer.apply_watcher_event(&watcher::Event::Init);
        for object in &objects {
            self.writer
                .apply_watcher_event(&watcher::Event::InitApply(object.as_ref().clone()));
        }
        self.writer.apply_watcher_event(&watcher::Event::InitDone);
        self.watch.seen.send_replace(true);
        if let Some(check) = self.check.take() {
            check.pass();
        }
        for object in objects {
            self.publish(object);
        }
    }

    /// Gives an object to the readers; not before everything is known, because they look at other
    /// objects too.
    fn publish(&self, object: Arc<K>) {
        if *self.watch.seen.borrow() {
            // It fails only when there are no readers, and then there is nothing to do.
            let _nobody = self.watch.touched.send(object);
        }
    }
}

fn reference<K: Watched>(key: &ObjectKey) -> ObjectRef<K> {
    let reference = ObjectRef::new(&key.name);
    match key.namespace.is_empty() {
        true => reference,
        false => reference.within(&key.namespace),
    }
}

#[cfg(test)]
mod tests;
