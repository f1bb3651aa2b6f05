//! The watches that several controllers share.

use kube::{Api, Client, Resource};
use podid_runtime::{Readiness, Tasks};
use tokio::sync::mpsc;

use crate::profile::Watches;
use crate::watch::{Malformed, Watch, Watched};

/// Starts the watches as tasks. The process is not ready before each has listed what there is. Profiles
/// that exist and cannot be read go to `unreadable`.
pub(super) fn start(
    client: &Client,
    readiness: &Readiness,
    tasks: &mut Tasks,
    unreadable: mpsc::UnboundedSender<Malformed>,
) -> Watches {
    let mut starter = Starter {
        client,
        readiness,
        tasks,
    };
    Watches {
        profiles: starter.start(move |malformed| {
            // The receiver ends only with the process.
            let _ended = unreadable.send(malformed);
        }),
        classes: starter.start(drop),
        namespaces: starter.start(drop),
    }
}

struct Starter<'a> {
    client: &'a Client,
    readiness: &'a Readiness,
    tasks: &'a mut Tasks,
}

impl Starter<'_> {
    fn start<K: Watched>(&mut self, malformed: impl FnMut(Malformed) + Send + 'static) -> Watch<K> {
        let kind = <K as Resource>::plural(&());
        let check = self.readiness.register(format!("watch of {kind}"));
        let (watch, feed) = Watch::new(Api::all(self.client.clone()), check);
        self.tasks
            .background(format!("watch of {kind}"), feed.run(malformed));
        watch
    }
}
