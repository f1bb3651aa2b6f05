//! What assignment knows and profiles want to: what becomes of the pods that are bound, and when
//! machines have let go of an identity.

mod effect;
mod fields;

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use podid_core::arm::ArmId;
use podid_core::condition::READY;
use podid_crds::podid::PodIdentityProfile;
use serde_json::json;
use tokio::sync::mpsc;

pub(super) use effect::{hindrance, include, include_breaches, include_breaches_of_bound};
pub(super) use fields::{keeping_pods, of_pods, without_pods};

use super::{Context, trigger};
use crate::assignment::{Assignments, Change, ObjectKey};

/// Owner of what the status says about pods: counting pods must not wait for Azure, nor Azure for
/// pods.
const FIELD_MANAGER: &str = "podid-operator-pods";

/// Reason of `EnforcementReady` while bound pods break the rule.
pub(super) const PODS_KEEP_NET_RAW: &str = "PodsKeepNetRaw";

/// How many pods the message of a condition names.
const NAMED: usize = 3;

/// Follows the changes, until there are none any more: counts pods, and hands the profiles whose
/// former identity is free, or whose pods make them ready or not, to `concerned`.
pub(super) async fn follow(
    context: Arc<Context>,
    mut changes: mpsc::UnboundedReceiver<Change>,
    concerned: mpsc::UnboundedSender<ObjectRef<PodIdentityProfile>>,
) {
    let mut effects = Effects::default();
    while let Some(change) = changes.recv().await {
        let profiles = match change {
            Change::BoundPods(key) => {
                recount(&key, &context).await;
                let news = effects.are_news(&key, &context.assignments);
                Vec::from_iter(news.then(|| profile_of(&key)))
            }
            // What was said before a restart may not hold any more.
            Change::Known => trigger::select(&context.profiles, |profile| !is_ready(profile)),
            Change::Carried(identity) => {
                trigger::select(&context.profiles, |p| awaits(p, &identity))
            }
        };
        for profile in profiles {
            // A controller that has stopped needs no more triggers.
            let _stopped = concerned.send(profile);
        }
    }
    // Assignment has ended, and with it the process soon; nothing to do until then.
    std::future::pending().await
}

/// What the pods of profiles do to them beside being counted.
#[derive(Debug, Default)]
struct Effects(HashMap<ObjectKey, Effect>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Effect {
    hindrance: Option<String>,
    refused: String,
    audited: String,
}

impl Effects {
    /// Whether the pods of a profile do something else to it than when this was last asked.
    fn are_news(&mut self, key: &ObjectKey, assignments: &Assignments) -> bool {
        let Some(pods) = assignments.bound_pods(key) else {
            return false;
        };
        let effect = Effect {
            hindrance: pods.hindrance(),
            refused: pods.refused.sentence(NAMED),
            audited: pods.audited.sentence(NAMED),
        };
        let none = Effect::default();
        if *self.0.get(key).unwrap_or(&none) == effect {
            return false;
        }
        match effect == none {
            true => self.0.remove(key),
            false => self.0.insert(key.clone(), effect),
        };
        true
    }
}

/// The AzureIdentity of a profile has the profile's name.
fn profile_of(identity: &ObjectKey) -> ObjectRef<PodIdentityProfile> {
    ObjectRef::new(&identity.name).within(&identity.namespace)
}

fn key_of(profile: &PodIdentityProfile) -> ObjectKey {
    ObjectKey::new(profile.namespace().unwrap_or_default(), profile.name_any())
}

/// Whether the profile may be waiting for machines to let go of the identity.
fn awaits(profile: &PodIdentityProfile, identity: &ArmId) -> bool {
    let status = profile.status.as_ref();
    let used = status.and_then(|status| status.identity.as_ref());
    used.is_some_and(|used| ArmId::new(&used.resource_id) == *identity)
        && (profile.meta().deletion_timestamp.is_some() || !is_ready(profile))
}

fn is_ready(profile: &PodIdentityProfile) -> bool {
    condition(profile, READY).is_some_and(|ready| ready.status == "True")
}

fn condition<'a>(profile: &'a PodIdentityProfile, kind: &str) -> Option<&'a meta::Condition> {
    let status = profile.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    conditions.find(|condition| condition.type_ == kind)
}

async fn recount(key: &ObjectKey, context: &Context) {
    let Some(profile) = context.profiles.get(&profile_of(key)) else {
        return;
    };
    if let Err(error) = count(&profile, context).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(profile = %key, error, "bound pods not written");
    }
}

/// Writes what the pods of a profile come to, if that is known and has changed.
pub(super) async fn count(
    profile: &PodIdentityProfile,
    context: &Context,
) -> Result<(), kube::Error> {
    let key = key_of(profile);
    let Some(pods) = context.assignments.bound_pods(&key) else {
        return Ok(());
    };
    let old = profile.status.clone().unwrap_or_default();
    let new = fields::says(profile, &pods);
    if of_pods(&old) == new {
        return Ok(());
    }
    let api: Api<PodIdentityProfile> = Api::namespaced(context.client.clone(), &key.namespace);
    let body = json!({
        "apiVersion": PodIdentityProfile::api_version(&()),
        "kind": PodIdentityProfile::kind(&()),
        // The uid keeps the status off a profile that was made anew under the same name.
        "metadata": { "name": key.name, "namespace": key.namespace, "uid": profile.uid() },
        "status": new,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api
        .patch_status(&key.name, &params, &Patch::Apply(&body))
        .await
    {
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        written => written.map(drop),
    }
}

#[cfg(test)]
mod tests;
