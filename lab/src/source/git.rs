//! Reconciles GitRepositories.

use std::sync::Arc;

use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};

use super::api::{GitRepository, REQUESTED_AT, SourceStatus};
use super::condition::{Health, conditions};
use super::repository::{RepositoryError, Source, local_path};
use super::sources::{POLL_INTERVAL, Sources};
use super::status;
use super::store::{Artifact, Key};
use crate::events::chain;

/// The first part of these artifacts' paths.
pub(super) const KIND: &str = "gitrepository";

/// Looks at the repository, packs a commit that is new, and says how it went.
pub(super) async fn reconcile(
    object: Arc<GitRepository>,
    sources: Arc<Sources>,
) -> Result<Action, kube::Error> {
    let namespace = object.namespace().unwrap_or_default();
    let key = Key::new(KIND, &namespace, object.name_any());
    if object.spec.suspend {
        return Ok(Action::await_change());
    }
    let fetched = {
        let (object, sources, key) = (Arc::clone(&object), Arc::clone(&sources), key.clone());
        // libgit2 blocks.
        tokio::task::spawn_blocking(move || fetch(&object, &sources, &key)).await
    };
    let Ok(fetched) = fetched else {
        return Ok(Action::requeue(POLL_INTERVAL));
    };
    let desired = desired_status(&object, &fetched, sources.store.newest(&key));
    let api: Api<GitRepository> = Api::namespaced(sources.client.clone(), &namespace);
    status::write(&api, object.as_ref(), object.status.as_ref(), &desired).await?;
    Ok(Action::requeue(POLL_INTERVAL))
}

/// The API server refused the status: try again soon.
pub(super) fn on_error(object: Arc<GitRepository>, error: &kube::Error, _: Arc<Sources>) -> Action {
    status::refused(object.as_ref(), error)
}

/// The newest artifact, packed only when it is not stored yet.
fn fetch(
    object: &GitRepository,
    sources: &Sources,
    key: &Key,
) -> Result<Artifact, RepositoryError> {
    let source = Source::open(local_path(&object.spec)?)?;
    let revision = source.resolve(object.spec.reference.as_ref())?;
    let observed = object
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    // Of another generation, `spec.ignore` may have changed.
    if let Some(newest) = sources.store.newest(key)
        && newest.status.revision == revision.text
        && observed == object.metadata.generation
    {
        return Ok(newest);
    }
    let archive = source.archive(&revision, object.spec.ignore.as_deref())?;
    tracing::info!(
        repository = %format_args!("{}/{}", key.namespace, key.name),
        revision = revision.text,
        "the stand-in for source-controller serves a new revision"
    );
    let file = format!("{}.tar.gz", revision.commit);
    Ok(sources.store.put(key, &file, revision.text, archive))
}

fn desired_status(
    object: &GitRepository,
    fetched: &Result<Artifact, RepositoryError>,
    stored: Option<Artifact>,
) -> SourceStatus {
    let health = match fetched {
        Ok(artifact) => Health::Ready {
            reason: "Succeeded",
            message: format!(
                "stored artifact for revision '{}'",
                artifact.status.revision
            ),
        },
        Err(error @ RepositoryError::Unsupported(_)) => Health::Stalled {
            message: chain(error),
        },
        Err(error) => Health::Failed {
            reason: "GitOperationFailed",
            message: chain(error),
        },
    };
    let previous = object.status.as_ref();
    let generation = object.metadata.generation;
    SourceStatus {
        observed_generation: generation,
        conditions: conditions(
            &health,
            generation,
            previous
                .map(|status| status.conditions.as_slice())
                .unwrap_or_default(),
        ),
        artifact: stored.map(|artifact| artifact.status),
        last_handled_reconcile_at: object.annotations().get(REQUESTED_AT).cloned(),
        ..SourceStatus::default()
    }
}
