//! Serves artifacts over HTTP, as source-controller's file server does.

use std::io;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::store::Store;
use crate::layout::CONTROL_PLANE;

/// A listener in the control plane's namespace, and the store it will serve.
pub(super) async fn bind() -> io::Result<(TcpListener, Store)> {
    let listener = TcpListener::bind((CONTROL_PLANE, 0)).await?;
    let store = Store::new(listener.local_addr()?);
    Ok((listener, store))
}

/// Serves the store for ever.
pub(super) async fn serve(listener: TcpListener, store: Store) -> io::Result<()> {
    let routes = Router::new()
        .route("/{*path}", get(fetch))
        .with_state(store);
    axum::serve(listener, routes).await
}

async fn fetch(State(store): State<Store>, Path(path): Path<String>) -> Response {
    match store.at(&path) {
        Some(bytes) => ([("content-type", "application/gzip")], bytes).into_response(),
        None => (StatusCode::NOT_FOUND, "no such artifact\n").into_response(),
    }
}
