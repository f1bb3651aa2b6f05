use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::error_boundary::InvalidObject;
use podid_runtime::Readiness;
use tower_test::mock;

use super::*;

fn object(name: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.into());
    object.metadata.namespace = Some("ns".into());
    object
}

fn good(name: &str) -> DeserializeGuard<ConfigMap> {
    DeserializeGuard(Ok(object(name)))
}

fn bad(name: &str) -> DeserializeGuard<ConfigMap> {
    let metadata = object(name).metadata;
    DeserializeGuard(Err(InvalidObject {
        error: "spec: no".into(),
        metadata,
    }))
}

/// A feed that is driven by hand.
fn feed(readiness: &Readiness) -> (Watch<ConfigMap>, Feed<ConfigMap>) {
    let (service, _) =
        mock::pair::<http::Request<kube::client::Body>, http::Response<kube::client::Body>>();
    let client = kube::Client::new(service, "ns");
    Watch::new(Api::all(client), readiness.register("configmaps"))
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

fn list(
    feed: &mut Feed<ConfigMap>,
    objects: Vec<DeserializeGuard<ConfigMap>>,
    malformed: &mut usize,
) {
    let mut count = |_| *malformed += 1;
    feed.take(watcher::Event::Init, &mut count);
    for object in objects {
        feed.take(watcher::Event::InitApply(object), &mut count);
    }
    feed.take(watcher::Event::InitDone, &mut count);
}

#[tokio::test]
async fn one_unreadable_object_hides_no_other() {
    let readiness = Readiness::new();
    let (watch, mut feed) = feed(&readiness);
    let mut malformed = 0;
    assert!(!readiness.is_ready());
    list(
        &mut feed,
        vec![good("a"), bad("b"), good("c")],
        &mut malformed,
    );
    assert!(readiness.is_ready());
    assert_eq!(
        (names(&watch), malformed),
        (vec!["a".into(), "c".into()], 1)
    );

    feed.take(watcher::Event::Apply(bad("a")), &mut |_| malformed += 1);
    assert_eq!(
        (names(&watch), malformed),
        (vec!["c".into()], 2),
        "unreadable counts as absent"
    );
}

#[tokio::test]
async fn readers_hear_of_what_is_there_what_changes_and_what_goes() {
    let readiness = Readiness::new();
    let (watch, mut feed) = feed(&readiness);
    list(&mut feed, vec![good("a"), good("b")], &mut 0);
    let mut touched = std::pin::pin!(watch.touched());
    feed.take(watcher::Event::Delete(good("b")), &mut drop);
    list(&mut feed, vec![good("c")], &mut 0);
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(
            touched
                .next()
                .await
                .expect("told")
                .metadata
                .name
                .clone()
                .expect("a name"),
        );
    }
    heard[..2].sort();
    assert_eq!(
        heard,
        ["a", "b", "b", "a", "c"],
        "there, there, deleted, gone with the list, new"
    );
}

#[tokio::test]
async fn a_slow_reader_looks_at_everything_again() {
    let readiness = Readiness::new();
    let (watch, mut feed) = feed(&readiness);
    list(&mut feed, vec![good("a")], &mut 0);
    let mut touched = std::pin::pin!(watch.touched());
    for _ in 0..2 * BUFFER {
        feed.take(watcher::Event::Apply(good("a")), &mut drop);
    }
    feed.take(watcher::Event::Apply(good("b")), &mut drop);
    let mut heard = std::collections::BTreeSet::new();
    while !heard.contains("b") {
        heard.insert(
            touched
                .next()
                .await
                .expect("told")
                .metadata
                .name
                .clone()
                .expect("a name"),
        );
    }
}
