//! Takes podid's finalizer off a profile.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, PartialObjectMeta};
use kube::runtime::controller::Action;
use kube::{Api, Client, Resource, ResourceExt};
use podid_core::profile::finalizer::{is_held, released};
use podid_core::uninstall::LeftInAzure;
use podid_crds::convert;
use podid_crds::podid::PodIdentityProfile;
use podid_index::events::EventWriter;
use serde_json::{Value, json};

use crate::leader::Leadership;
use crate::retry::Retries;
use crate::{FIELD_MANAGER, events};

/// All that is needed of a profile to know whether podid holds it. One that cannot be read is released as well.
pub type ProfileMetadata = PartialObjectMeta<PodIdentityProfile>;

/// What finalizers are taken off with.
pub struct ReleaseContext {
    /// Client of the API server; it lets only the leader write.
    pub client: Client,
    /// Whether this replica leads.
    pub leadership: Leadership,
    /// Where Events are handed in.
    pub events: EventWriter,
    /// How often each profile was tried again.
    pub retries: Retries,
}

impl fmt::Debug for ReleaseContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReleaseContext")
            .field("leadership", &self.leadership)
            .finish_non_exhaustive()
    }
}

/// Takes podid's finalizer off a profile that has it, and says what stays in Azure.
pub(super) async fn release(
    profile: Arc<ProfileMetadata>,
    context: Arc<ReleaseContext>,
) -> Result<Action, kube::Error> {
    if !context.leadership.is_held() || !is_held(profile.finalizers()) {
        return Ok(Action::await_change());
    }
    let (namespace, name) = (profile.namespace().unwrap_or_default(), profile.name_any());
    let kind = ApiResource::erase::<PodIdentityProfile>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &namespace, &kind);
    if let Some(now) = api
        .get_opt(&name)
        .await?
        .filter(|now| is_held(now.finalizers()))
    {
        let left = left_in_azure(&now);
        // First said and then done: the status of one that is deleted goes with its last finalizer.
        tracing::info!(namespace, name, deleted = left.is_deleted, "{left}");
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..PatchParams::default()
        };
        match api.patch(&name, &params, &without_finalizer(&now)).await {
            Ok(_) => events::released(&context.events, &now.object_ref(&kind), &left),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    context.retries.forget(&profile.uid().unwrap_or_default());
    Ok(Action::await_change())
}

/// What podid made for a profile. One that cannot be read has no status that could say.
fn left_in_azure(profile: &DynamicObject) -> LeftInAzure {
    let is_deleted = profile.metadata.deletion_timestamp.is_some();
    let whole =
        serde_json::to_value(profile).and_then(serde_json::from_value::<PodIdentityProfile>);
    let record = whole.as_ref().map(convert::record).unwrap_or_default();
    LeftInAzure::of(&record, is_deleted)
}

/// The version is in it: finalizers that others put on meanwhile must stay.
fn without_finalizer(profile: &DynamicObject) -> Patch<Value> {
    Patch::Merge(json!({"metadata": {
        "resourceVersion": profile.metadata.resource_version,
        "finalizers": released(profile.finalizers()),
    }}))
}

/// A profile that was not released is tried again.
pub(super) fn after_error(
    profile: Arc<ProfileMetadata>,
    error: &kube::Error,
    context: Arc<ReleaseContext>,
) -> Action {
    let retry_in = context
        .retries
        .again(&profile.uid().unwrap_or_default(), None);
    let (namespace, name) = (profile.namespace(), profile.name_any());
    let error = error as &dyn Error;
    tracing::warn!(
        namespace,
        name,
        error,
        ?retry_in,
        "podid's finalizer was not taken off"
    );
    Action::requeue(retry_in)
}
