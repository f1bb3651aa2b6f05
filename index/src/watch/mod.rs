//! From a watch on the API server to single facts.

mod store;

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Debug;

use futures::{Stream, StreamExt, stream};
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::key::{ObjectKey, key_of};

pub use store::{Watch, WatchTask, Watched};

/// An object that exists and cannot be read as its kind.
pub type Malformed = kube::core::error_boundary::InvalidObject;

/// One thing that the API server says about the objects of a kind.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchFact<K> {
    /// The object is there, and looks like this now.
    Present(ObjectKey, K),
    /// There is no such object (any more), or it cannot be read.
    Gone(ObjectKey),
    /// Every object that was there when a listing began has been given since.
    Listed,
}

/// Seconds after which the API server ends a watch, which is then started again. A connection that
/// broke without being closed is given up five seconds later, so this bounds how long that goes
/// unnoticed.
const WATCH_SECONDS: u32 = 45;

/// Follows the objects of a kind for ever. A watch that breaks off is taken up again with growing
/// pauses, and what went away meanwhile is [`WatchFact::Gone`]; that a connection is dead is noticed
/// within a minute. An object that cannot be read is logged, handed to `malformed`, and `Gone`; it
/// delays no other.
pub fn facts<K>(
    api: Api<DeserializeGuard<K>>,
    config: watcher::Config,
    malformed: impl FnMut(Malformed) + Send + 'static,
) -> impl Stream<Item = WatchFact<K>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let config = config.timeout(WATCH_SECONDS);
    facts_of(watcher(api, config).default_backoff(), malformed)
}

fn facts_of<K>(
    events: impl Stream<Item = watcher::Result<watcher::Event<DeserializeGuard<K>>>> + Send,
    malformed: impl FnMut(Malformed) + Send + 'static,
) -> impl Stream<Item = WatchFact<K>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + 'static,
{
    let state = (Relist::default(), malformed);
    events
        .scan(state, |(relist, malformed), event| {
            let facts = match event {
                Ok(event) => relist.facts(event, malformed),
                Err(error) => {
                    let (kind, error) = (K::kind(&()), &error as &dyn Error);
                    tracing::warn!(%kind, error, "watch interrupted; trying again");
                    Vec::new()
                }
            };
            std::future::ready(Some(stream::iter(facts)))
        })
        .flatten()
}

/// Which objects were given, so that a new listing shows what has gone.
#[derive(Debug, Default)]
struct Relist {
    given: HashSet<ObjectKey>,
    listed: HashSet<ObjectKey>,
}

impl Relist {
    fn facts<K>(
        &mut self,
        event: watcher::Event<DeserializeGuard<K>>,
        malformed: &mut impl FnMut(Malformed),
    ) -> Vec<WatchFact<K>>
    where
        K: Resource<DynamicType = ()> + Clone,
    {
        match event {
            watcher::Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            watcher::Event::InitApply(object) => {
                self.listed.insert(key_of(&object));
                // Given now and not when the listing ends: no copy of a whole listing is kept.
                vec![self.give(object, malformed)]
            }
            watcher::Event::InitDone => {
                // An object that was deleted while the watch was broken is in no event, only missing here.
                let gone: Vec<_> = self.given.difference(&self.listed).cloned().collect();
                self.given = std::mem::take(&mut self.listed);
                let gone = gone.into_iter().map(WatchFact::Gone);
                gone.chain([WatchFact::Listed]).collect()
            }
            watcher::Event::Apply(object) => vec![self.give(object, malformed)],
            watcher::Event::Delete(object) => {
                let key = key_of(&object);
                self.given.remove(&key);
                vec![WatchFact::Gone(key)]
            }
        }
    }

    fn give<K>(
        &mut self,
        object: DeserializeGuard<K>,
        malformed: &mut impl FnMut(Malformed),
    ) -> WatchFact<K>
    where
        K: Resource<DynamicType = ()> + Clone,
    {
        let key = key_of(&object);
        // Before the listing ends: one that breaks off and begins anew may lack it.
        self.given.insert(key.clone());
        match object.0 {
            Ok(object) => WatchFact::Present(key, object),
            Err(invalid) => {
                let kind = K::kind(&());
                tracing::warn!(%kind, object = %key, error = %invalid.error, "ignored: not readable");
                malformed(invalid);
                WatchFact::Gone(key)
            }
        }
    }
}

#[cfg(test)]
mod tests;
