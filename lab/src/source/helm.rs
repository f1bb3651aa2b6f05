//! Reconciles HelmCharts.

use std::sync::Arc;

use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};

use super::api::{HelmChart, REQUESTED_AT, SourceStatus};
use super::chart::{self, ChartError};
use super::condition::{Health, conditions};
use super::sources::{POLL_INTERVAL, Sources};
use super::store::{Artifact, Key};
use super::{git, status};
use crate::events::chain;

/// The first part of these artifacts' paths.
pub(super) const KIND: &str = "helmchart";

/// A chart that is served, and what it was made from.
struct Served {
    artifact: Artifact,
    chart: String,
    source_revision: String,
}

/// Packages the chart when its source or its spec is new, and says how it went.
pub(super) async fn reconcile(
    object: Arc<HelmChart>,
    sources: Arc<Sources>,
) -> Result<Action, kube::Error> {
    let namespace = object.namespace().unwrap_or_default();
    let key = Key::new(KIND, &namespace, object.name_any());
    if object.spec.suspend {
        return Ok(Action::await_change());
    }
    let desired = desired_status(&object, serve(&object, &sources, &key));
    let api: Api<HelmChart> = Api::namespaced(sources.client.clone(), &namespace);
    status::write(&api, object.as_ref(), object.status.as_ref(), &desired).await?;
    Ok(Action::requeue(POLL_INTERVAL))
}

/// The API server refused the status: try again soon.
pub(super) fn on_error(object: Arc<HelmChart>, error: &kube::Error, _: Arc<Sources>) -> Action {
    status::refused(object.as_ref(), error)
}

fn serve(object: &HelmChart, sources: &Sources, key: &Key) -> Result<Served, ChartError> {
    chart::check(&object.spec)?;
    let source = sources
        .store
        .newest(&Key::new(
            git::KIND,
            &key.namespace,
            &object.spec.source_ref.name,
        ))
        .ok_or_else(|| ChartError::NoSource(object.spec.source_ref.name.clone()))?;
    let revision = source.status.revision;
    if let Some(served) = already_served(object, sources, key, &revision) {
        return Ok(served);
    }
    let package = chart::package(&object.spec, &source.bytes, &revision)?;
    let newest = sources.store.newest(key);
    let artifact = match newest {
        // As with Flux, a chart is new when its version is: see `reconcileStrategy`.
        Some(newest) if newest.status.revision == package.version => newest,
        _ => {
            let file = format!("{}-{}.tgz", package.name, package.version);
            sources
                .store
                .put(key, &file, package.version, package.archive)
        }
    };
    Ok(Served {
        artifact,
        chart: package.name,
        source_revision: revision,
    })
}

/// What the status says is served, when it is of this spec and this source revision.
fn already_served(
    object: &HelmChart,
    sources: &Sources,
    key: &Key,
    revision: &str,
) -> Option<Served> {
    let status = object.status.as_ref()?;
    let artifact = sources.store.newest(key)?;
    let same = status.observed_generation == object.metadata.generation
        && status.observed_source_artifact_revision.as_deref() == Some(revision)
        && status.artifact.as_ref() == Some(&artifact.status);
    same.then(|| Served {
        artifact,
        chart: status.observed_chart_name.clone().unwrap_or_default(),
        source_revision: revision.to_owned(),
    })
}

fn desired_status(object: &HelmChart, served: Result<Served, ChartError>) -> SourceStatus {
    let previous = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation;
    let mut desired = SourceStatus {
        observed_generation: generation,
        last_handled_reconcile_at: object.annotations().get(REQUESTED_AT).cloned(),
        ..SourceStatus::default()
    };
    let health = match served {
        Ok(served) => {
            let version = &served.artifact.status.revision;
            let message = format!("packaged '{}' chart with version '{version}'", served.chart);
            desired.artifact = Some(served.artifact.status);
            desired.observed_chart_name = Some(served.chart);
            desired.observed_source_artifact_revision = Some(served.source_revision);
            Health::Ready {
                reason: "ChartPackageSucceeded",
                message,
            }
        }
        Err(error) => {
            // A chart that was served stays so; what is served is still what it was.
            desired.artifact = previous.artifact;
            desired.observed_chart_name = previous.observed_chart_name;
            health_after(&error)
        }
    };
    desired.conditions = conditions(&health, generation, &previous.conditions);
    desired
}

/// What the conditions say of a failure.
fn health_after(error: &ChartError) -> Health {
    let message = chain(error);
    match error {
        ChartError::Unsupported(_) => Health::Stalled { message },
        ChartError::NoSource(_) => Health::Failed {
            reason: "NoSourceArtifact",
            message,
        },
        _ => Health::Failed {
            reason: "ChartPackageFailed",
            message,
        },
    }
}
