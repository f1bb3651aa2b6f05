//! Both commands against an API server with a few profiles.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use kube::Client;
use podid_core::profile::finalizer::FINALIZER;
use podid_index::events::{self, EventQueue};
use serde_json::{Value, json};

use super::check::{CheckError, check_cluster};
use super::release::release;
use super::*;
use crate::fake_api_server::{self, failure};
use crate::leader::Leadership;
use crate::retry::Retries;

const IDENTITY: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i";

/// Profiles by their names, and how many patches were refused.
#[derive(Default)]
struct Server {
    profiles: BTreeMap<String, Value>,
    refuses: Option<StatusCode>,
}

type SharedServer = Arc<Mutex<Server>>;

fn profile(name: &str, finalizers: &[&str]) -> Value {
    json!({
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
        "metadata": {
            "name": name, "namespace": "shop", "uid": name, "resourceVersion": "7", "finalizers": finalizers,
        },
        "spec": {"className": "standard"},
        "status": {"identity": {
            "resourceId": IDENTITY, "name": "i", "clientId": "c", "principalId": "p", "tenantId": "t", "created": true,
        }},
    })
}

fn server(profiles: impl IntoIterator<Item = Value>) -> SharedServer {
    let profiles = profiles.into_iter();
    let named = profiles.map(|profile| {
        let name = profile["metadata"]["name"].as_str().expect("a name");
        (name.to_owned(), profile)
    });
    Arc::new(Mutex::new(Server {
        profiles: named.collect(),
        refuses: None,
    }))
}

fn client(server: &SharedServer) -> Client {
    let server = Arc::clone(server);
    fake_api_server::client(move |method, path, body| {
        let answer = server.lock().unwrap().answer(&method, &path, &body);
        std::future::ready(answer)
    })
}

impl Server {
    fn answer(&mut self, method: &Method, path: &str, body: &Value) -> (StatusCode, Value) {
        if let Some(code) = self.refuses {
            return failure(code);
        }
        let Some((_, name)) = path.split_once("/podidentityprofiles/") else {
            let items: Vec<&Value> = self.profiles.values().collect();
            let list = json!({
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": items,
            });
            return (StatusCode::OK, list);
        };
        let Some(profile) = self.profiles.get_mut(name) else {
            return failure(StatusCode::NOT_FOUND);
        };
        if method == Method::PATCH {
            let metadata = &body["metadata"];
            if metadata["resourceVersion"] != profile["metadata"]["resourceVersion"] {
                return failure(StatusCode::CONFLICT);
            }
            profile["metadata"]["finalizers"] = metadata["finalizers"].clone();
        }
        (StatusCode::OK, profile.clone())
    }
}

fn context(server: &SharedServer, leads: bool) -> (Arc<ReleaseContext>, EventQueue) {
    let (_, leadership) = Leadership::fixed(leads);
    let (events, queue) = events::channel(9);
    let context = ReleaseContext {
        client: client(server),
        leadership,
        events,
        retries: Retries::default(),
    };
    (Arc::new(context), queue)
}

/// A profile as the watch has it.
fn watched(profile: &Value) -> Arc<ProfileMetadata> {
    Arc::new(serde_json::from_value(profile.clone()).expect("metadata"))
}

fn finalizers(server: &SharedServer, name: &str) -> Value {
    server.lock().unwrap().profiles[name]["metadata"]["finalizers"].clone()
}

/// Type, reason and note of the Events.
fn said(queue: &mut EventQueue) -> Vec<(String, String, String)> {
    let events = std::iter::from_fn(|| queue.try_next());
    let words = events.map(|(event, _)| {
        (
            format!("{:?}", event.type_),
            event.reason,
            event.note.unwrap_or_default(),
        )
    });
    words.collect()
}

#[tokio::test]
async fn only_podids_finalizer_goes_and_an_event_says_what_stays_in_azure() {
    let cart = profile("cart", &["example.com/a", FINALIZER]);
    let server = server([cart.clone()]);
    let (context, mut queue) = context(&server, true);
    release(watched(&cart), context)
        .await
        .expect("it is released");
    assert_eq!(finalizers(&server, "cart"), json!(["example.com/a"]));
    let said = said(&mut queue);
    let [(type_, reason, note)] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert_eq!((type_.as_str(), reason.as_str()), ("Normal", "Released"));
    assert!(
        note.to_lowercase().contains(&IDENTITY.to_lowercase()),
        "{note}"
    );
}

#[tokio::test]
async fn a_deleted_profile_leaves_a_warning() {
    let mut cart = profile("cart", &[FINALIZER]);
    cart["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let server = server([cart.clone()]);
    let (context, mut queue) = context(&server, true);
    release(watched(&cart), context)
        .await
        .expect("it is released");
    assert_eq!(finalizers(&server, "cart"), json!([]));
    assert_eq!(said(&mut queue)[0].0, "Warning");
}

#[tokio::test]
async fn a_profile_that_cannot_be_read_is_released() {
    let mut odd = profile("odd", &[FINALIZER]);
    odd["spec"] = json!({"className": 3});
    let server = server([odd.clone()]);
    let (context, _queue) = context(&server, true);
    release(watched(&odd), context)
        .await
        .expect("it is released");
    assert_eq!(finalizers(&server, "odd"), json!([]));
}

#[tokio::test]
async fn without_the_lead_or_without_the_finalizer_nothing_is_changed() {
    let (cart, till) = (
        profile("cart", &[FINALIZER]),
        profile("till", &["example.com/a"]),
    );
    let server = server([cart.clone(), till.clone()]);
    let (follower, mut queue) = context(&server, false);
    release(watched(&cart), follower).await.expect("it waits");
    assert_eq!(finalizers(&server, "cart"), json!([FINALIZER]));
    let (leader, _) = context(&server, true);
    release(watched(&till), leader)
        .await
        .expect("nothing to do");
    assert_eq!(finalizers(&server, "till"), json!(["example.com/a"]));
    assert_eq!(said(&mut queue), []);
}

#[tokio::test]
async fn what_is_gone_is_fine_and_what_is_refused_is_tried_again() {
    let cart = profile("cart", &[FINALIZER]);
    let server = server([]);
    let (context, mut queue) = context(&server, true);
    release(watched(&cart), Arc::clone(&context))
        .await
        .expect("it is gone");
    server.lock().unwrap().refuses = Some(StatusCode::FORBIDDEN);
    release(watched(&cart), context)
        .await
        .expect_err("it is refused");
    assert_eq!(said(&mut queue), []);
}

#[tokio::test]
async fn an_uninstallation_is_refused_while_a_profile_is_held() {
    let held = profile("cart", &[FINALIZER]);
    let server = server([held, profile("till", &["example.com/a"])]);
    let error = check_cluster(client(&server))
        .await
        .expect_err("cart is held");
    assert!(error.to_string().contains(": 1 (shop/cart)"), "{error}");
    server.lock().unwrap().profiles.remove("cart");
    check_cluster(client(&server))
        .await
        .expect("nothing is held");
}

#[tokio::test]
async fn without_the_kind_nothing_is_held_and_without_the_right_nobody_knows() {
    let server = server([]);
    server.lock().unwrap().refuses = Some(StatusCode::NOT_FOUND);
    check_cluster(client(&server)).await.expect("no such kind");
    server.lock().unwrap().refuses = Some(StatusCode::FORBIDDEN);
    let error = check_cluster(client(&server)).await;
    assert!(matches!(error, Err(CheckError::Unknown(_))), "{error:?}");
}
