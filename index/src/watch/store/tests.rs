use futures::FutureExt;
use k8s_openapi::api::core::v1::ConfigMap;
use podid_runtime::Readiness;
use tower_test::mock;

use super::*;
use crate::watch::Relist;
use crate::watch::tests::{object as good, unreadable as bad};

/// A task that the test steps itself, with the listings that came before.
struct Driven {
    task: WatchTask<ConfigMap>,
    relist: Relist,
    malformed: usize,
}

impl Driven {
    fn new(readiness: &Readiness) -> (Watch<ConfigMap>, Self) {
        let (service, _) =
            mock::pair::<http::Request<kube::client::Body>, http::Response<kube::client::Body>>();
        let client = kube::Client::new(service, "ns");
        let (watch, task) = Watch::new(Api::all(client), readiness.register("configmaps"));
        let driven = Self {
            task,
            relist: Relist::default(),
            malformed: 0,
        };
        (watch, driven)
    }

    fn take(&mut self, event: watcher::Event<DeserializeGuard<ConfigMap>>) {
        let facts = self.relist.facts(event, &mut |_| self.malformed += 1);
        facts.into_iter().for_each(|fact| self.task.take(fact));
    }

    fn list(&mut self, objects: Vec<DeserializeGuard<ConfigMap>>) {
        self.take(watcher::Event::Init);
        for object in objects {
            self.take(watcher::Event::InitApply(object));
        }
        self.take(watcher::Event::InitDone);
    }
}

fn names(watch: &Watch<ConfigMap>) -> Vec<String> {
    let mut names: Vec<String> = watch
        .store()
        .state()
        .iter()
        .filter_map(|object| object.metadata.name.clone())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn one_unreadable_object_hides_no_other() {
    let readiness = Readiness::new();
    let (watch, mut task) = Driven::new(&readiness);
    assert!(!readiness.is_ready());
    task.list(vec![good("a"), bad("b"), good("c")]);
    assert!(readiness.is_ready());
    assert_eq!(
        (names(&watch), task.malformed),
        (vec!["a".into(), "c".into()], 1)
    );

    task.take(watcher::Event::Apply(bad("a")));
    assert_eq!(
        (names(&watch), task.malformed),
        (vec!["c".into()], 2),
        "unreadable counts as absent"
    );
}

#[tokio::test]
async fn ten_thousand_unreadable_objects_take_no_place_of_the_good_one() {
    const UNREADABLE: usize = 10_000;
    let readiness = Readiness::new();
    let (watch, mut task) = Driven::new(&readiness);
    let names_of_bad = || (0..UNREADABLE).map(|number| format!("bad-{number}"));
    let mut listing: Vec<_> = names_of_bad().map(|name| bad(&name)).collect();
    listing.insert(UNREADABLE / 2, good("a"));
    task.list(listing);
    assert!(readiness.is_ready());
    assert_eq!(
        (names(&watch), task.malformed),
        (vec!["a".into()], UNREADABLE)
    );

    let mut touched = std::pin::pin!(watch.touched());
    for name in names_of_bad() {
        task.take(watcher::Event::Apply(bad(&name)));
    }
    task.take(watcher::Event::Apply(good("a")));
    let mut given = Vec::new();
    while let Some(Some(object)) = touched.next().now_or_never() {
        given.extend(object.metadata.name.clone());
    }
    assert_eq!(
        given,
        ["a", "a"],
        "there, and changed: no reader is given the others or falls behind for them"
    );
    assert_eq!(task.malformed, 2 * UNREADABLE);
}

#[tokio::test]
async fn readers_are_given_what_is_there_what_changes_and_what_goes() {
    let readiness = Readiness::new();
    let (watch, mut task) = Driven::new(&readiness);
    task.list(vec![good("a"), good("b")]);
    let mut touched = std::pin::pin!(watch.touched());
    task.take(watcher::Event::Delete(good("b")));
    task.list(vec![good("c")]);
    let mut given = Vec::new();
    for _ in 0..5 {
        given.push(
            touched
                .next()
                .await
                .expect("another")
                .metadata
                .name
                .clone()
                .expect("a name"),
        );
    }
    given[..2].sort();
    assert_eq!(
        given,
        ["a", "b", "b", "c", "a"],
        "there, there, deleted, new, gone with the list"
    );
}

#[tokio::test]
async fn a_slow_reader_looks_at_everything_again() {
    let readiness = Readiness::new();
    let (watch, mut task) = Driven::new(&readiness);
    task.list(vec![good("a")]);
    let mut touched = std::pin::pin!(watch.touched());
    task.take(watcher::Event::Apply(good("skipped")));
    for _ in 0..2 * BUFFER {
        task.take(watcher::Event::Apply(good("a")));
    }
    task.take(watcher::Event::Apply(good("b")));
    let mut given = std::collections::BTreeSet::new();
    // What was skipped is given once more, with all that there is.
    while !(given.contains("skipped") && given.contains("b")) {
        given.insert(
            touched
                .next()
                .await
                .expect("another")
                .metadata
                .name
                .clone()
                .expect("a name"),
        );
    }
}
