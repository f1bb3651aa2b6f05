//! What assignment knows and profiles want to: what becomes of the pods that are bound, and when
//! machines have let go of an identity.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use podid_core::arm::ArmId;
use podid_core::assignment::pods::{ASSIGNMENT_READY, BoundPods};
use podid_core::condition::{Condition, Outcome, Part, READY, Status};
use podid_core::profile::NetRaw;
use podid_crds::podid::{PodIdentityProfile, PodIdentityProfileStatus, RefusedPodStatus};
use serde_json::json;
use tokio::sync::mpsc;

use super::status::Report;
use super::verdict::{Again, Verdict};
use super::{Context, trigger};
use crate::assignment::{Assignments, Change, ObjectKey};
use crate::conditions::{now, to_kubernetes};

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

/// Adds what pods do to how a reconciliation came out.
pub(super) fn include(
    verdict: Verdict,
    profile: &PodIdentityProfile,
    context: &Context,
) -> Verdict {
    let hindrance = match context.assignments.bound_pods(&key_of(profile)) {
        Some(pods) => pods.hindrance(),
        None => known_hindrance(profile),
    };
    match (hindrance, &verdict.report.outcome) {
        (Some(message), Outcome::Ready { .. }) => {
            let report = Report {
                outcome: Outcome::Retrying { message },
                ..verdict.report
            };
            // Assignment tries again by itself, and tells when something changes.
            let again = Again::AtInterval;
            Verdict {
                report,
                again,
                ..verdict
            }
        }
        _ => verdict,
    }
}

/// What the status says before pods are known again after a restart.
fn known_hindrance(profile: &PodIdentityProfile) -> Option<String> {
    let hindered = condition(profile, ASSIGNMENT_READY)?.status == "False";
    let ready = condition(profile, READY).filter(|ready| ready.status == "False")?;
    hindered.then(|| ready.message.clone())
}

/// Adds pods that break the rule to whether it is in force.
pub(super) fn include_breaches(
    policy: Part,
    net_raw: NetRaw,
    profile: &PodIdentityProfile,
    context: &Context,
) -> Part {
    if policy.status != Status::True {
        return policy;
    }
    match context.assignments.bound_pods(&key_of(profile)) {
        Some(pods) => with_breaches(policy, net_raw, &pods),
        None => known_breaches(profile, policy.kind).unwrap_or(policy),
    }
}

fn with_breaches(policy: Part, net_raw: NetRaw, pods: &BoundPods) -> Part {
    let (refused, audited) = (&pods.refused, &pods.audited);
    match net_raw {
        NetRaw::Enforce if refused.count > 0 => Part {
            status: Status::False,
            reason: PODS_KEEP_NET_RAW.to_owned(),
            message: format!(
                "mend the pods' template as their Events say, and let these pods be made anew; until \
                 then they get no identity: {}",
                refused.sentence(NAMED)
            ),
            ..policy
        },
        NetRaw::Audit if audited.count > 0 => Part {
            message: format!(
                "{}; served all the same, because netRaw is Audit: {}",
                policy.message,
                audited.sentence(NAMED)
            ),
            ..policy
        },
        NetRaw::Enforce | NetRaw::Audit | NetRaw::Ignore => policy,
    }
}

fn known_breaches(profile: &PodIdentityProfile, kind: &'static str) -> Option<Part> {
    let known = condition(profile, kind)?;
    (known.reason == PODS_KEEP_NET_RAW).then(|| Part {
        kind,
        status: Status::False,
        reason: known.reason.clone(),
        message: known.message.clone(),
    })
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
    let new = says(profile, &pods);
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

/// The part of a status that is about pods.
pub(super) fn of_pods(status: &PodIdentityProfileStatus) -> PodIdentityProfileStatus {
    let conditions = status.conditions.iter().flatten();
    let own = conditions.filter(|condition| condition.type_ == ASSIGNMENT_READY);
    let own: Vec<meta::Condition> = own.cloned().collect();
    PodIdentityProfileStatus {
        conditions: (!own.is_empty()).then_some(own),
        bound_pods: status.bound_pods,
        assigned_pods: status.assigned_pods,
        refused_pods: status.refused_pods.clone(),
        refused_pod_count: status.refused_pod_count,
        ..PodIdentityProfileStatus::default()
    }
}

/// The rest of it.
pub(super) fn without_pods(status: PodIdentityProfileStatus) -> PodIdentityProfileStatus {
    let conditions = status.conditions.map(|mut conditions| {
        conditions.retain(|condition| condition.type_ != ASSIGNMENT_READY);
        conditions
    });
    PodIdentityProfileStatus {
        conditions,
        bound_pods: None,
        assigned_pods: None,
        refused_pods: None,
        refused_pod_count: None,
        ..status
    }
}

/// A status with what `old` says about pods.
pub(super) fn keeping_pods(
    status: PodIdentityProfileStatus,
    old: &PodIdentityProfileStatus,
) -> PodIdentityProfileStatus {
    let (mut new, kept) = (without_pods(status), of_pods(old));
    if let Some(own) = kept.conditions {
        new.conditions.get_or_insert_default().extend(own);
    }
    PodIdentityProfileStatus {
        bound_pods: kept.bound_pods,
        assigned_pods: kept.assigned_pods,
        refused_pods: kept.refused_pods,
        refused_pod_count: kept.refused_pod_count,
        ..new
    }
}

fn says(profile: &PodIdentityProfile, pods: &BoundPods) -> PodIdentityProfileStatus {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let refused = pods
        .refused
        .first
        .iter()
        .map(|(name, reason)| RefusedPodStatus {
            name: name.clone(),
            reason: reason.clone(),
        });
    let refused: Vec<RefusedPodStatus> = refused.collect();
    PodIdentityProfileStatus {
        conditions: assignment_ready(profile, pods).map(|condition| vec![condition]),
        bound_pods: Some(number(pods.bound)),
        assigned_pods: Some(number(pods.assigned)),
        refused_pod_count: (!refused.is_empty()).then(|| number(pods.refused.count)),
        refused_pods: (!refused.is_empty()).then_some(refused),
        ..PodIdentityProfileStatus::default()
    }
}

/// The condition speaks of the binding that was applied; before there was any, nothing is said.
fn assignment_ready(profile: &PodIdentityProfile, pods: &BoundPods) -> Option<meta::Condition> {
    let before = condition(profile, ASSIGNMENT_READY);
    let bound = condition(profile, "BindingReady").filter(|bound| bound.status == "True");
    let generation = bound.or(before)?.observed_generation;
    let part = pods.part();
    let old = before.filter(|old| old.status == part.status.as_str());
    Some(to_kubernetes(Condition {
        kind: part.kind.to_owned(),
        status: part.status,
        reason: part.reason,
        message: part.message,
        observed_generation: generation.unwrap_or_default(),
        last_transition_time: old.map_or_else(now, |old| old.last_transition_time.clone()),
    }))
}

#[cfg(test)]
mod tests;
