//! A stand-in for the metadata service: it has every identity, and a token that says whose it is.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::watch;

use super::test_node::TestNode;

/// The token of the node itself, which no pod must ever hold.
pub const NODE_TOKEN: &str = "token-of-the-node";

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Imds {
    asked: Arc<Mutex<Asked>>,
    held: Arc<watch::Sender<bool>>,
}

#[derive(Debug, Default)]
struct Asked {
    /// How many requests are still answered "Identity not found".
    unknown: usize,
    /// Client ids all requests were for; empty: no identity was named.
    client_ids: Vec<String>,
    /// Resources all requests were for.
    resources: Vec<String>,
    /// Status of all answers, when they are errors.
    failing: Option<StatusCode>,
    /// Client ids of identities that were made anew, by their names in lower case.
    made_anew: HashMap<String, String>,
}

impl Imds {
    /// Starts one at 169.254.169.254:80 of the cloud's router.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub fn start(test_node: &TestNode) -> Result<Self> {
        let imds = Self::default();
        let listener = test_node.listen_at_router((Ipv4Addr::new(169, 254, 169, 254), 80))?;
        let router = Router::new().fallback(token).with_state(imds.clone());
        test_node.runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router).await
        });
        Ok(imds)
    }

    /// The next `count` requests are for an identity it does not know yet.
    pub fn forget(&self, count: usize) {
        self.asked().unknown = count;
    }

    /// The client ids all requests so far were for; empty: no identity was named.
    #[must_use]
    pub fn client_ids(&self) -> Vec<String> {
        self.asked().client_ids.clone()
    }

    /// The resources all requests so far were for.
    #[must_use]
    pub fn resources(&self) -> Vec<String> {
        self.asked().resources.clone()
    }

    /// All requests from now on are answered with an error of this status; `None` ends that.
    ///
    /// # Panics
    /// When it is no status.
    #[allow(clippy::expect_used)]
    pub fn fail(&self, status: Option<u16>) {
        let status = status.map(|status| StatusCode::from_u16(status).expect("a status"));
        self.asked().failing = status;
    }

    /// Lets requests wait, or answers those that wait and all later ones.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// The identity of this name is another one from now on, with this client id.
    pub fn make_anew(&self, name: &str, client_id: &str) {
        let mut asked = self.asked();
        asked
            .made_anew
            .insert(name.to_owned(), client_id.to_owned());
    }

    /// Notes a request, and returns the client id that it is for.
    fn note(&self, query: &HashMap<String, String>) -> String {
        let mut asked = self.asked();
        let client_id = client_id(query, &asked.made_anew);
        asked.client_ids.push(client_id.clone());
        let resource = query.get("resource").cloned();
        asked.resources.push(resource.unwrap_or_default());
        client_id
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client id a request asks for: the one it names, or that of the resource it names, which is
/// `client-NAME` unless the identity was made anew.
fn client_id(query: &HashMap<String, String>, made_anew: &HashMap<String, String>) -> String {
    let of_resource = |id: &String| {
        let name = id.rsplit('/').next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let anew = made_anew.get(&name).cloned();
        anew.unwrap_or_else(|| format!("client-{name}"))
    };
    let named = query.get("client_id").cloned();
    named
        .or_else(|| query.get("msi_res_id").map(of_resource))
        .unwrap_or_default()
}

async fn token(State(imds): State<Imds>, Query(query): Query<HashMap<String, String>>) -> Response {
    let client_id = imds.note(&query);
    let mut held = imds.held.subscribe();
    // An error says that the test is over.
    let _released = held.wait_for(|held| !held).await.map(drop);
    let mut asked = imds.asked();
    if let Some(status) = asked.failing {
        let body = json!({"error": "failing", "error_description": "The test has it fail"});
        return (status, Json(body)).into_response();
    }
    if asked.unknown > 0 {
        asked.unknown -= 1;
        let body = json!({"error": "invalid_request", "error_description": "Identity not found"});
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    drop(asked);
    let (token, client_id) = match client_id.as_str() {
        "" => (NODE_TOKEN.to_owned(), "client-of-the-node".to_owned()),
        id => (format!("token-of-{id}"), client_id.clone()),
    };
    let body = json!({
        "access_token": token, "client_id": client_id, "expires_in": "86399",
        "expires_on": "4102444800", "ext_expires_in": "86399", "not_before": "4102358401",
        "resource": query.get("resource"), "token_type": "Bearer",
    });
    (
        [(CONTENT_TYPE, "application/json; charset=utf-8")],
        body.to_string(),
    )
        .into_response()
}
