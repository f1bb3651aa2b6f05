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

use super::test_node::TestNode;

/// The token of the node itself, which no pod must ever hold.
pub const NODE_TOKEN: &str = "token-of-the-node";

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Imds(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    /// How many requests are still answered "Identity not found".
    unknown: usize,
    /// Client ids all requests were for; empty: no identity was named.
    client_ids: Vec<String>,
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

    fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client id a request asks for: the one it names, or that of the resource it names, which is
/// `client-NAME`.
fn client_id(query: &HashMap<String, String>) -> String {
    let of_resource = |id: &String| {
        let name = id.rsplit('/').next().unwrap_or_default();
        format!("client-{}", name.to_ascii_lowercase())
    };
    let named = query.get("client_id").cloned();
    named
        .or_else(|| query.get("msi_res_id").map(of_resource))
        .unwrap_or_default()
}

async fn token(State(imds): State<Imds>, Query(query): Query<HashMap<String, String>>) -> Response {
    let client_id = client_id(&query);
    let mut asked = imds.asked();
    asked.client_ids.push(client_id.clone());
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
