use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::{Request, Response};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::client::Body;
use kube::core::error_boundary::InvalidObject;
use podid_runtime::Readiness;
use serde_json::json;

use super::*;
use crate::feed;

pub(super) fn object(name: &str) -> DeserializeGuard<ConfigMap> {
    DeserializeGuard(Ok(serde_json::from_value(
        json!({ "metadata": { "name": name, "namespace": "ns" } }),
    )
    .unwrap()))
}

pub(super) fn unreadable(name: &str) -> DeserializeGuard<ConfigMap> {
    let metadata = object(name).0.unwrap().metadata;
    DeserializeGuard(Err(InvalidObject {
        error: "odd".into(),
        metadata,
    }))
}

async fn given(
    events: Vec<watcher::Result<watcher::Event<DeserializeGuard<ConfigMap>>>>,
) -> Vec<String> {
    facts_of(stream::iter(events), drop)
        .map(|fact| match fact {
            WatchFact::Present(key, _) => format!("+{}", key.name),
            WatchFact::Gone(key) => format!("-{}", key.name),
            WatchFact::Listed => "listed".to_owned(),
        })
        .collect()
        .await
}

#[tokio::test]
async fn a_new_listing_tells_what_has_gone_meanwhile_and_nothing_flickers() {
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
    let given = given(vec![
        Ok(Init),
        Ok(InitApply(object("a"))),
        Ok(InitApply(object("b"))),
        Ok(InitDone),
        Ok(Apply(object("c"))),
        Ok(Delete(object("a"))),
        Err(watcher::Error::NoResourceVersion),
        Ok(Init),
        Ok(InitApply(object("c"))),
        Ok(InitDone),
    ]);
    let expected = ["+a", "+b", "listed", "+c", "-a", "+c", "-b", "listed"];
    assert_eq!(given.await, expected);
}

#[tokio::test]
async fn what_a_broken_listing_gave_is_missed_by_the_next() {
    use watcher::Event::{Init, InitApply, InitDone};
    let given = given(vec![
        Ok(Init),
        Ok(InitApply(object("a"))),
        Err(watcher::Error::NoResourceVersion),
        Ok(Init),
        Ok(InitDone),
    ]);
    assert_eq!(given.await, ["+a", "-a", "listed"]);
}

#[tokio::test]
async fn an_unreadable_object_counts_as_absent_and_stalls_nothing() {
    use watcher::Event::{Apply, Init, InitApply, InitDone};
    let given = given(vec![
        Ok(Init),
        Ok(InitApply(unreadable("odd"))),
        Ok(InitApply(object("a"))),
        Ok(InitDone),
        Ok(Apply(unreadable("a"))),
    ]);
    assert_eq!(given.await, ["-odd", "+a", "listed", "-a"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_handed_over_each_time() {
    use watcher::Event::{Apply, InitApply};
    let (handed, events) = (Arc::new(AtomicUsize::new(0)), [InitApply, Apply]);
    let counter = Arc::clone(&handed);
    let events = events.map(|event| Ok(event(unreadable("odd"))));
    let count = move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    let facts: Vec<WatchFact<ConfigMap>> = facts_of(stream::iter(events), count).collect().await;
    assert_eq!((facts.len(), handed.load(Ordering::Relaxed)), (2, 2));
}

/// An API server without objects, whose watches never say anything and never end; with the number
/// of watches it was asked for.
fn silent_server() -> (Client, Arc<AtomicUsize>) {
    const EMPTY_LIST: &str = r#"{"apiVersion": "v1", "kind": "ConfigMapList",
        "metadata": {"resourceVersion": "1"}, "items": []}"#;
    let watches = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&watches);
    let service = tower::service_fn(move |request: Request<Body>| {
        let query = request.uri().query().unwrap_or_default();
        let body = if query.contains("watch=true") {
            counter.fetch_add(1, Ordering::Relaxed);
            let silence = futures::stream::pending::<Result<Frame<Bytes>, Infallible>>();
            StreamBody::new(silence).boxed_unsync()
        } else {
            Full::from(EMPTY_LIST).boxed_unsync()
        };
        std::future::ready(Ok::<_, Infallible>(Response::new(body)))
    });
    (Client::new(service, "default"), watches)
}

#[tokio::test(start_paused = true)]
async fn a_connection_gone_dead_is_given_up_within_a_minute() {
    let (client, watches) = silent_server();
    let api: Api<DeserializeGuard<ConfigMap>> = Api::all(client);
    let mut facts = pin!(facts(api, watcher::Config::default(), drop));
    let following = async { while facts.next().await.is_some() {} };
    goes_on_for_a_minute(following).await;
    assert_eq!(watches.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn so_it_is_by_those_who_follow_values_or_share_a_watch() {
    let (client, watches) = silent_server();
    let any = watcher::Config::default();
    let mut updates = pin!(feed::updates(&client, any, |_: &ConfigMap| Some(())));
    goes_on_for_a_minute(async { while updates.next().await.is_some() {} }).await;
    assert_eq!(watches.load(Ordering::Relaxed), 2);

    let (client, watches) = silent_server();
    let check = Readiness::new().register("configmaps");
    let (_watch, task) = Watch::<ConfigMap>::new(Api::all(client), check);
    goes_on_for_a_minute(task.run(drop)).await;
    assert_eq!(watches.load(Ordering::Relaxed), 2);
}

async fn goes_on_for_a_minute<T>(following: impl Future<Output = T>) {
    let a_minute = tokio::time::timeout(Duration::from_secs(60), following).await;
    assert!(a_minute.is_err(), "the watch goes on");
}
