//! Profiles that exist and cannot be read. The schema keeps them out; one written under another
//! schema can still be there. It does not affect other profiles, and its own status reports what is wrong.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, DeserializeGuard};
use kube::{Api, Client};
use podid_core::condition::{self, ReconcileOutcome};
use podid_crds::podid::PodIdentityProfile;
use podid_index::ObjectKey;
use podid_runtime::BoxError;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::FIELD_MANAGER;
use crate::conditions::{from_kubernetes, now, to_kubernetes};
use crate::dirty::DirtySet;
use crate::leader::Leadership;
use crate::retry::Retries;

/// Writes the status of profiles that cannot be read. It keeps nothing of a profile but its name, and that only until
/// the status says what is wrong.
pub struct Reporter {
    client: Client,
    leadership: Leadership,
    found: DirtySet<ObjectKey>,
    retries: Retries,
    /// Profiles whose status could not be written, until that is tried again.
    waiting: HashSet<ObjectKey>,
    waits: JoinSet<ObjectKey>,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter")
            .field("leadership", &self.leadership)
            .finish_non_exhaustive()
    }
}

impl Reporter {
    /// A reporter, and where to put the profiles that it shall look at.
    #[must_use]
    pub(crate) fn new(client: Client, leadership: Leadership) -> (Self, DirtySet<ObjectKey>) {
        let found = DirtySet::default();
        let reporter = Self {
            client,
            leadership,
            found: found.clone(),
            retries: Retries::default(),
            waiting: HashSet::new(),
            waits: JoinSet::new(),
        };
        (reporter, found)
    }

    /// Runs for ever; only the leader writes.
    ///
    /// # Errors
    /// A task of its own failed.
    pub async fn run(mut self) -> Result<(), BoxError> {
        self.leadership.gained().await;
        loop {
            tokio::select! {
                profiles = self.found.next() => for profile in profiles {
                    self.report_or_wait(profile).await;
                },
                Some(profile) = self.waits.join_next() => {
                    let profile = profile?;
                    self.waiting.remove(&profile);
                    self.found.add([profile]);
                }
            }
        }
    }

    /// Reports a profile. One whose status cannot be written delays no other.
    async fn report_or_wait(&mut self, profile: ObjectKey) {
        let name = profile.to_string();
        let Err(error) = self.report(&profile).await else {
            self.retries.forget(&name);
            return;
        };
        let error = &error as &dyn Error;
        if !self.waiting.insert(profile.clone()) {
            return;
        }
        let wait = self.retries.again(&name, None);
        tracing::warn!(%profile, error, ?wait, "status of an unreadable profile not written; trying again");
        self.waits.spawn(async move {
            tokio::time::sleep(wait).await;
            profile
        });
    }

    /// Has the status of a profile say what is wrong with it now.
    async fn report(&self, profile: &ObjectKey) -> kube::Result<()> {
        let kind = ApiResource::erase::<PodIdentityProfile>(&());
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &profile.namespace, &kind);
        let object = api.get_opt(&profile.name).await?;
        let Some(patch) = object.as_ref().and_then(status_patch) else {
            return Ok(());
        };
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..Default::default()
        };
        api.patch_status(&profile.name, &params, &Patch::Merge(patch))
            .await?;
        Ok(())
    }
}

/// What the status has to say; `None` where the profile can be read, or its status says that already. A merge, and not
/// an apply: the record of what was made for the profile must stay.
fn status_patch(object: &DynamicObject) -> Option<Value> {
    let whole = serde_json::to_value(object).ok()?;
    let read: DeserializeGuard<PodIdentityProfile> = serde_json::from_value(whole).ok()?;
    let error = read.0.err()?.error;
    let generation = object.metadata.generation.unwrap_or_default();
    let outcome = ReconcileOutcome::Stalled {
        reason: "Unreadable".to_owned(),
        message: format!(
            "the profile's spec cannot be read: {error}; correct it and apply the profile again"
        ),
    };
    let said = &object.data["status"];
    let before: Vec<meta::Condition> =
        serde_json::from_value(said["conditions"].clone()).unwrap_or_default();
    let known: Vec<_> = before.iter().map(from_kubernetes).collect();
    let conditions = condition::conditions(&outcome, &[], &[], generation, &now(), &known);
    let conditions: Vec<_> = conditions.into_iter().map(to_kubernetes).collect();
    if before == conditions && said["observedGeneration"] == generation {
        return None;
    }
    Some(json!({
        "metadata": { "uid": object.metadata.uid },
        "status": { "observedGeneration": generation, "conditions": conditions },
    }))
}

#[cfg(test)]
mod tests;
