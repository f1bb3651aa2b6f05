//! Writes statuses, only when they say something new.

use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::api::SourceStatus;
use super::sources::{FIELD_MANAGER, POLL_INTERVAL};

/// Writes `desired` unless `actual` says the same.
pub(super) async fn write<K>(
    api: &Api<K>,
    object: &K,
    actual: Option<&SourceStatus>,
    desired: &SourceStatus,
) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let desired = serde_json::to_value(desired).map_err(kube::Error::SerdeError)?;
    let actual = serde_json::to_value(actual).map_err(kube::Error::SerdeError)?;
    if actual == desired {
        return Ok(());
    }
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        // With the uid, an object of the same name made meanwhile is answered with a conflict.
        "metadata": {"name": object.name_any(), "uid": object.uid()},
        "status": desired,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api
        .patch_status(&object.name_any(), &params, &Patch::Apply(&body))
        .await
    {
        Err(kube::Error::Api(answer)) if answer.is_not_found() || answer.is_conflict() => Ok(()),
        written => written.map(|_| ()),
    }
}

/// Logs a refused status; the next look tries again.
pub(super) fn refused<K: Resource<DynamicType = ()>>(object: &K, error: &kube::Error) -> Action {
    tracing::warn!(
        kind = %K::kind(&()),
        name = object.name_any(),
        error = error as &dyn std::error::Error,
        "the stand-in for source-controller cannot write a status"
    );
    Action::requeue(POLL_INTERVAL)
}
