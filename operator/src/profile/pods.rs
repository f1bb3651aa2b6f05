//! What assignment knows and profiles want to: how many pods are bound, and when machines have let
//! go of an identity.

use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use podid_core::arm::ArmId;
use podid_crds::podid::PodIdentityProfile;
use serde_json::json;
use tokio::sync::mpsc;

use super::{Context, trigger};
use crate::assignment::{Change, ObjectKey};

/// Owner of `status.boundPods`: counting pods must not wait for Azure, nor Azure for pods.
const FIELD_MANAGER: &str = "podid-operator-pods";

/// Follows the changes, until there are none any more: counts pods, and hands the profiles whose
/// former identity is free to `released`.
pub(super) async fn follow(
    context: Arc<Context>,
    mut changes: mpsc::UnboundedReceiver<Change>,
    released: mpsc::UnboundedSender<ObjectRef<PodIdentityProfile>>,
) {
    while let Some(change) = changes.recv().await {
        match change {
            Change::BoundPods(key) => recount(&key, &context).await,
            Change::Carried(identity) => {
                for profile in trigger::select(&context.profiles, |p| awaits(p, &identity)) {
                    // A controller that has stopped needs no more triggers.
                    let _stopped = released.send(profile);
                }
            }
        }
    }
    // Assignment has ended, and with it the process soon; nothing to do until then.
    std::future::pending().await
}

/// Whether the profile may be waiting for machines to let go of the identity.
fn awaits(profile: &PodIdentityProfile, identity: &ArmId) -> bool {
    let status = profile.status.as_ref();
    let used = status.and_then(|status| status.identity.as_ref());
    used.is_some_and(|used| ArmId::new(&used.resource_id) == *identity)
        && (profile.meta().deletion_timestamp.is_some() || !is_ready(profile))
}

fn is_ready(profile: &PodIdentityProfile) -> bool {
    let conditions = profile
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|c| c.type_ == "Ready" && c.status == "True")
}

async fn recount(key: &ObjectKey, context: &Context) {
    // The AzureIdentity of a profile has the profile's name.
    let object = ObjectRef::new(&key.name).within(&key.namespace);
    let Some(profile) = context.profiles.get(&object) else {
        return;
    };
    if let Err(error) = count(&profile, context).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(profile = %key, error, "bound pods not written");
    }
}

/// Writes how many pods are bound, if that is known and has changed.
pub(super) async fn count(
    profile: &PodIdentityProfile,
    context: &Context,
) -> Result<(), kube::Error> {
    let (namespace, name) = (profile.namespace().unwrap_or_default(), profile.name_any());
    let key = ObjectKey::new(&namespace, &name);
    let Some(pods) = context.assignments.bound_pods(&key) else {
        return Ok(());
    };
    let pods = i32::try_from(pods.bound).unwrap_or(i32::MAX);
    if profile.status.as_ref().and_then(|status| status.bound_pods) == Some(pods) {
        return Ok(());
    }
    let api: Api<PodIdentityProfile> = Api::namespaced(context.client.clone(), &namespace);
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..Default::default()
    };
    let patch = json!({ "status": { "boundPods": pods } });
    match api
        .patch_status(&name, &params, &Patch::Merge(&patch))
        .await
    {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        written => written.map(drop),
    }
}
