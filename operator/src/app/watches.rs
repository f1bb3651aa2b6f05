//! The watches that several controllers share.

use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client, Resource};
use podid_index::ObjectKey;
use podid_index::watch::{Malformed, Watch, Watched};
use podid_runtime::{Readiness, Tasks};

use crate::leader::Leadership;
use crate::node_guard;
use crate::profile::{MalformedReporter, Watches};

/// The watches that the controllers are started with.
pub(super) struct AllWatches {
    pub(super) profiles: Watches,
    pub(super) nodes: Watch<Node>,
}

/// Starts the watches as tasks. The process is not ready before each has listed what there is. A
/// profile that exists and cannot be read is reported in its own status.
pub(super) fn start(
    client: &Client,
    leadership: &Leadership,
    readiness: &Readiness,
    tasks: &mut Tasks,
) -> AllWatches {
    let (reporter, unreadable) = MalformedReporter::new(client.clone(), leadership.clone());
    tasks.background("unreadable profiles", reporter.run());
    let mut starter = Starter {
        client,
        readiness,
        tasks,
    };
    let profiles = starter.start(whole, move |malformed: Malformed| {
        let (namespace, name) = (malformed.metadata.namespace, malformed.metadata.name);
        unreadable.add([ObjectKey::new(
            namespace.unwrap_or_default(),
            name.unwrap_or_default(),
        )]);
    });
    AllWatches {
        profiles: Watches {
            profiles,
            classes: starter.start(whole, drop),
            namespaces: starter.start(whole, drop),
            azure_identities: starter.start(without_history, drop),
            bindings: starter.start(without_history, drop),
        },
        nodes: starter.start(node_guard::reduce, drop),
    }
}

/// Leaves all of an object in it.
fn whole<K>(_: &mut K) {}

/// Leaves an object without the lists of who wrote which field, which are most of it.
fn without_history<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
}

struct Starter<'a> {
    client: &'a Client,
    readiness: &'a Readiness,
    tasks: &'a mut Tasks,
}

impl Starter<'_> {
    fn start<K: Watched>(
        &mut self,
        reduce: fn(&mut K),
        malformed: impl FnMut(Malformed) + Send + 'static,
    ) -> Watch<K> {
        let kind = <K as Resource>::plural(&());
        let check = self.readiness.register(format!("watch of {kind}"));
        let (watch, feed) = Watch::new(Api::all(self.client.clone()), check);
        let feed = feed.reduced(reduce).run(malformed);
        self.tasks.background(format!("watch of {kind}"), feed);
        watch
    }
}
