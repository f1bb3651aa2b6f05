//! How far the pods are that are bound to a profile, and the part of its status that says so.

mod fields;

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use podid_core::condition::SubCondition;
use podid_core::net_raw::{NamedPods, NetRaw};
use podid_core::profile::desired::Desired;
use podid_core::profile::pods::{self, BoundPods, PodEffect, about_to_be_bound, pods_problem};
use podid_crds::podid::PodIdentityProfile;
use podid_index::key_of;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

pub(super) use fields::{keeping_pods, of_pods, without_pods};

use super::ProfileContext;
use crate::assigned_identity::{AssignmentView, BoundPodsChange, ObjectKey};
use crate::conditions::core_conditions;

/// Owner of what the status says about pods: counting pods must not wait for Azure, nor Azure for
/// pods.
const FIELD_MANAGER: &str = "podid-operator-pods";
/// Pause before counts that could not be written are written again.
const BETWEEN_TRIES: Duration = Duration::from_secs(5);

/// Writes each count that changes to the status of its profile, one after the other, and sends the
/// profiles that their pods make ready or not, or whose deletion waited for them, to `concerned`. A profile that
/// changes is looked at too: what is written depends on what its other conditions say, and may have been written
/// by one that had not seen them yet. So is each profile when all pods are known: for those without any, no count
/// changes then. A count that could not be written is written after a pause, as nothing else may change.
pub(super) async fn write_counts(
    context: Arc<ProfileContext>,
    mut counts: mpsc::UnboundedReceiver<BoundPodsChange>,
    profiles: impl Stream<Item = Arc<PodIdentityProfile>>,
    concerned: mpsc::UnboundedSender<ObjectRef<PodIdentityProfile>>,
) {
    let mut effects = Effects::default();
    let mut changed = pin!(profiles);
    let (mut unwritten, mut ticks) = (BTreeSet::new(), interval(BETWEEN_TRIES));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (keys, are_counted) = tokio::select! {
            Some(change) = counts.recv() => (counted(change, &context), true),
            Some(profile) = changed.next() => (vec![key_of(&*profile)], false),
            _ = ticks.tick(), if !unwritten.is_empty() => {
                (std::mem::take(&mut unwritten).into_iter().collect(), false)
            }
            // The watch and the controller of AzureAssignedIdentities have ended, and the process ends soon.
            else => return std::future::pending().await,
        };
        for key in keys {
            // The deletion waits for no write.
            if are_counted && has_ended_serving(&key, &context) {
                let _stopped = concerned.send(profile_of(&key));
            }
            if !recount(&key, &context).await {
                unwritten.insert(key.clone());
            }
            if effects.have_changed(&key, &context.assignment_view) {
                // A controller that has stopped needs no more triggers.
                let _stopped = concerned.send(profile_of(&key));
            }
        }
    }
}

/// The profiles for which the counts are others now.
fn counted(change: BoundPodsChange, context: &ProfileContext) -> Vec<ObjectKey> {
    match change {
        BoundPodsChange::AllKnown => {
            let profiles = context.profiles.state();
            profiles.iter().map(|profile| key_of(&**profile)).collect()
        }
        BoundPodsChange::Identity(key) => vec![key],
    }
}

/// Whether a profile that is being deleted has no pods any more that it serves.
fn has_ended_serving(key: &ObjectKey, context: &ProfileContext) -> bool {
    let profile = context.profiles.get(&profile_of(key));
    let is_deleted = profile.is_some_and(|it| it.meta().deletion_timestamp.is_some());
    let pods = context.assignment_view.bound_pods(key);
    is_deleted && pods.is_some_and(|pods| pods.served() == 0)
}

/// What the pods of each profile did to it when this was last asked; none that did nothing.
#[derive(Debug, Default)]
struct Effects(HashMap<ObjectKey, PodEffect>);

impl Effects {
    /// Whether the pods of a profile do something else to it than when this was last asked.
    fn have_changed(&mut self, key: &ObjectKey, assignment_view: &AssignmentView) -> bool {
        let Some(pods) = assignment_view.bound_pods(key) else {
            return false;
        };
        let (effect, none) = (pods.effect(), PodEffect::default());
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

/// The counts of the profile's pods; `None` while they are not known.
pub(super) fn bound(profile: &PodIdentityProfile, context: &ProfileContext) -> Option<BoundPods> {
    context.assignment_view.bound_pods(&key_of(profile))
}

/// Why the profile is not ready, if its pods are the reason.
pub(super) fn problem(profile: &PodIdentityProfile, context: &ProfileContext) -> Option<String> {
    let pods = bound(profile, context);
    pods_problem(pods.as_ref(), &core_conditions(profile))
}

/// `EnforcementReady`, given what the policy comes to. Pods count that are bound, or will be as soon as
/// the binding is applied.
pub(super) fn enforcement(
    policy: SubCondition,
    desired: &Desired,
    profile: &PodIdentityProfile,
    context: &ProfileContext,
) -> SubCondition {
    let (binding, namespace) = (&desired.binding, &desired.owner.namespace);
    let pods_breaking_rule = context
        .assignment_view
        .pods_breaking_rule(namespace, &binding.selector);
    let next = about_to_be_bound(&pods_breaking_rule, binding);
    let pods = bound(profile, context);
    let reported = core_conditions(profile);
    pods::enforcement(policy, desired.net_raw, pods.as_ref(), &next, &reported)
}

/// The same while no binding is about to be applied.
pub(super) fn enforcement_of_bound(
    policy: SubCondition,
    net_raw: NetRaw,
    profile: &PodIdentityProfile,
    context: &ProfileContext,
) -> SubCondition {
    let pods = bound(profile, context);
    let (none, reported) = (NamedPods::default(), core_conditions(profile));
    pods::enforcement(policy, net_raw, pods.as_ref(), &none, &reported)
}

/// The AzureIdentity of a profile has the profile's name.
fn profile_of(identity: &ObjectKey) -> ObjectRef<PodIdentityProfile> {
    ObjectRef::new(&identity.name).within(&identity.namespace)
}

/// Writes the count of a profile that is there; returns whether that is done.
async fn recount(key: &ObjectKey, context: &ProfileContext) -> bool {
    let Some(profile) = context.profiles.get(&profile_of(key)) else {
        return true;
    };
    let written = count(&profile, context).await;
    if let Err(error) = &written {
        let error = error as &dyn std::error::Error;
        tracing::warn!(profile = %key, error, "bound pods not written; trying again");
    }
    written.is_ok()
}

/// Writes what the pods of a profile come to, if that is known and has changed.
pub(super) async fn count(
    profile: &PodIdentityProfile,
    context: &ProfileContext,
) -> Result<(), kube::Error> {
    let key = key_of(profile);
    let Some(pods) = context.assignment_view.bound_pods(&key) else {
        return Ok(());
    };
    let old = profile.status.clone().unwrap_or_default();
    let new = fields::pod_fields(profile, &pods);
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
