//! **Stands in for Flux's source-controller**, which cannot be built from the Go module proxy:
//! one of its modules is not served. Everything else of Flux in the lab is real.
//!
//! It serves the two sources the lab's Flux needs to kustomize-controller and helm-controller:
//! - a `GitRepository` whose `spec.url` is `ssh://localhost/PATH`, a bare or ordinary repository
//!   on this machine, read in place with libgit2 (there is no network to clone over);
//! - a `HelmChart` whose source is such a `GitRepository`.
//!
//! Artifacts are kept in memory, the newest two of each source, and served over HTTP in the
//! control plane's namespace. Both kinds are looked at twice a second, which costs the API
//! server nothing while nothing changes: a push is seen at once, and `spec.interval` and the
//! annotation `reconcile.fluxcd.io/requestedAt` are thereby honoured too.
//!
//! What it cannot do, it refuses in the object's conditions: other addresses, version ranges,
//! signature checks, submodules, includes, a `.sourceignore` file, charts from other sources.

mod api;
mod archive;
mod chart;
mod condition;
mod exclude;
mod git;
mod helm;
mod repository;
mod server;
mod sources;
mod status;
mod store;

use std::sync::Arc;

use futures::future::ready;
use futures::{Stream, StreamExt};
use kube::Api;
use kube::runtime::{Controller, controller, watcher};

use crate::context::Context;
use crate::layout::CONTROL_PLANE;
use sources::Sources;
use store::{Key, Store};

/// Why the stand-in ended.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The artifacts cannot be served.
    #[error("the stand-in for source-controller cannot serve artifacts on {CONTROL_PLANE}")]
    Serve(#[source] std::io::Error),
    /// libgit2 cannot be set up.
    #[error("libgit2 refused its settings")]
    Git(#[source] git2::Error),
    /// The watch of a kind cannot be resumed.
    #[error("the stand-in for source-controller lost its watch for good; start the lab again")]
    WatchEnded,
}

/// An error of a controller: a failed reconciliation or watch, or an object that is gone.
type ControllerError = controller::Error<kube::Error, watcher::Error>;

/// Serves sources until `Context::shutdown` is cancelled.
///
/// # Errors
/// [`SourceError`] when artifacts cannot be served; a failure of one source or of the API
/// server is retried and reported in that source's conditions.
pub async fn run(context: Context) -> Result<(), SourceError> {
    repository::allow_any_owner().map_err(SourceError::Git)?;
    let (listener, store) = server::bind().await.map_err(SourceError::Serve)?;
    let client = context.client.clone();
    let sources = Arc::new(Sources {
        client: client.clone(),
        store: store.clone(),
    });
    let repositories = Controller::new(
        Api::<api::GitRepository>::all(client.clone()),
        watcher::Config::default(),
    )
    .run(git::reconcile, git::on_error, Arc::clone(&sources));
    let charts = Controller::new(
        Api::<api::HelmChart>::all(client),
        watcher::Config::default(),
    )
    .run(helm::reconcile, helm::on_error, Arc::clone(&sources));
    tokio::select! {
        served = server::serve(listener, store) => served.map_err(SourceError::Serve),
        () = drive(repositories, &sources.store, git::KIND) => Err(SourceError::WatchEnded),
        () = drive(charts, &sources.store, helm::KIND) => Err(SourceError::WatchEnded),
        () = context.shutdown.cancelled() => Ok(()),
    }
}

/// Drives a controller. The reconcilers report their own failures; what is left to do here is to
/// forget the artifacts of objects that were deleted.
async fn drive<T>(
    controller: impl Stream<Item = Result<T, ControllerError>>,
    store: &Store,
    kind: &'static str,
) {
    let deleted = controller.filter_map(|result| match result {
        Err(ControllerError::ObjectNotFound(object)) => ready(Some(object)),
        _ => ready(None),
    });
    deleted
        .for_each(|object| {
            let namespace = object.namespace.unwrap_or_default();
            store.forget(&Key::new(kind, namespace, object.name));
            ready(())
        })
        .await;
}
