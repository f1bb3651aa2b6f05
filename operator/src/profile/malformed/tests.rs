//! The reporter against an API server with a few profiles.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, StatusCode};

use super::*;
use crate::fake_api_server::{self, failure};

#[derive(Default)]
struct Server {
    profiles: BTreeMap<String, Value>,
    /// How many writes of a profile's status are refused, by its name.
    refusals: BTreeMap<String, usize>,
    /// Names of the profiles whose status was to be written, in order.
    writes: Vec<String>,
}

type SharedServer = Arc<Mutex<Server>>;

/// A server with profiles of these names: one that has a class can be read.
fn server(profiles: &[(&str, Value)]) -> SharedServer {
    let profile = |(name, class): &(&str, Value)| {
        let object = json!({
            "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
            "metadata": { "name": name, "namespace": "ns", "uid": "u", "generation": 3 },
            "spec": { "className": class },
            "status": { "boundPods": 2 },
        });
        ((*name).to_owned(), object)
    };
    Arc::new(Mutex::new(Server {
        profiles: profiles.iter().map(profile).collect(),
        ..Server::default()
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
        let of_profiles = path
            .split_once("/podidentityprofiles/")
            .expect("a profile")
            .1;
        let name = of_profiles.trim_end_matches("/status");
        if method == Method::PATCH {
            self.writes.push(name.to_owned());
            let refusals = self.refusals.entry(name.to_owned()).or_default();
            if *refusals > 0 {
                *refusals -= 1;
                return failure(StatusCode::INTERNAL_SERVER_ERROR);
            }
        }
        let Some(profile) = self.profiles.get_mut(name) else {
            return failure(StatusCode::NOT_FOUND);
        };
        for (field, value) in body["status"].as_object().into_iter().flatten() {
            profile["status"][field] = value.clone();
        }
        (StatusCode::OK, profile.clone())
    }
}

/// Lets a reporter look at these profiles, one after the other, and work for some minutes.
async fn report(server: &SharedServer, leads: bool, names: &[&str]) {
    let (_sender, leadership) = Leadership::fixed(leads);
    let (reporter, found) = Reporter::new(client(server), leadership);
    let adding = async {
        for name in names {
            found.add([ObjectKey::new("ns", *name)]);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::time::sleep(Duration::from_secs(300)).await;
    };
    tokio::select! {
        ended = reporter.run() => panic!("{ended:?}"),
        () = adding => {}
    }
}

/// Reason and message of `Ready`.
fn says(server: &SharedServer, name: &str) -> (String, String) {
    let server = server.lock().unwrap();
    let conditions = server.profiles[name]["status"]["conditions"].as_array();
    let conditions = conditions.into_iter().flatten();
    let ready = conditions.clone().find(|one| one["type"] == "Ready");
    let text = |field: &str| ready.map_or("", |ready| ready[field].as_str().unwrap());
    (text("reason").to_owned(), text("message").to_owned())
}

fn writes(server: &SharedServer) -> Vec<String> {
    server.lock().unwrap().writes.clone()
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_written_once_and_what_was_made_stays_in_the_record() {
    let server = server(&[("odd", json!(7))]);
    report(&server, true, &["odd", "odd", "odd"]).await;
    assert_eq!(writes(&server), ["odd"]);
    let (reason, message) = says(&server, "odd");
    assert_eq!(reason, "Unreadable");
    assert!(
        message.contains("cannot be read: Invalid type") && message.contains("apply the profile"),
        "{message}"
    );
    let said = server.lock().unwrap().profiles["odd"]["status"].clone();
    assert_eq!(
        (&said["boundPods"], &said["observedGeneration"]),
        (&json!(2), &json!(3))
    );

    // Another process finds it written already.
    report(&server, true, &["odd"]).await;
    assert_eq!(writes(&server), ["odd"]);
    // Somebody edits it, and it is as unreadable as before.
    server.lock().unwrap().profiles.get_mut("odd").unwrap()["metadata"]["generation"] = json!(4);
    report(&server, true, &["odd"]).await;
    assert_eq!(writes(&server), ["odd", "odd"]);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_could_not_be_written_is_written_later_and_delays_no_other() {
    let server = server(&[
        ("first", json!(7)),
        ("never", json!(7)),
        ("other", json!(7)),
    ]);
    let refusals = [("first".to_owned(), 2), ("never".to_owned(), usize::MAX)];
    server.lock().unwrap().refusals = refusals.into();
    report(&server, true, &["first", "never", "other"]).await;
    for name in ["first", "other"] {
        assert_eq!(says(&server, name).0, "Unreadable", "{name}");
    }
    let writes = writes(&server);
    let of = |name: &str| writes.iter().filter(|written| *written == name).count();
    assert_eq!((of("first"), of("other")), (3, 1), "{writes:?}");
    assert!(
        (5..=12).contains(&of("never")),
        "ever more seldom: {writes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn however_often_one_is_found_it_is_tried_again_by_one_task_only() {
    let server = server(&[("never", json!(7))]);
    server.lock().unwrap().refusals = [("never".to_owned(), usize::MAX)].into();
    report(&server, true, &["never"; 20]).await;
    let tries = writes(&server).len();
    assert!((20..=35).contains(&tries), "{tries} tries");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_mended_or_gone_is_left_alone() {
    let server = server(&[("mended", json!("standard"))]);
    report(&server, true, &["mended", "gone"]).await;
    assert_eq!(writes(&server), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_follower_writes_nothing() {
    let server = server(&[("odd", json!(7))]);
    report(&server, false, &["odd"]).await;
    assert_eq!(writes(&server), [""; 0]);
}
