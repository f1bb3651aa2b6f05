//! The watches that several controllers share.

use kube::{Api, Client, Resource};
use podid_index::watch::{Malformed, Watch, Watched};
use podid_runtime::{Readiness, Tasks};

use crate::leader::Leadership;
use crate::profile::{MalformedReporter, Watches};

/// Starts the watches as tasks. The process is not ready before each has listed what there is. A
/// profile that exists and cannot be read is reported in its own status.
pub(super) fn start(
    client: &Client,
    leadership: &Leadership,
    readiness: &Readiness,
    tasks: &mut Tasks,
) -> Watches {
    let (reporter, unreadable) = MalformedReporter::new(client.clone(), leadership.clone());
    tasks.background("unreadable profiles", reporter.run());
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
