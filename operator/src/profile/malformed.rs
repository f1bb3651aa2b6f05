//! Profiles that exist and cannot be read. The schema keeps them out; one written under another
//! schema can still be there. It does not affect other profiles, and its own status reports what is wrong.

use std::collections::HashMap;
use std::fmt;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use podid_core::condition::{self, ReconcileOutcome};
use podid_crds::podid::PodIdentityProfile;
use podid_runtime::BoxError;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::FIELD_MANAGER;
use crate::conditions::{now, to_kubernetes};
use crate::leader::Leadership;
use podid_index::watch::Malformed;

/// Writes the status of profiles that cannot be read.
pub struct Reporter {
    client: Client,
    leadership: Leadership,
    found: mpsc::UnboundedReceiver<Malformed>,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter")
            .field("leadership", &self.leadership)
            .finish_non_exhaustive()
    }
}

impl Reporter {
    /// A reporter, and where to put what it shall report.
    #[must_use]
    pub fn new(client: Client, leadership: Leadership) -> (Self, mpsc::UnboundedSender<Malformed>) {
        let (sender, found) = mpsc::unbounded_channel();
        (
            Self {
                client,
                leadership,
                found,
            },
            sender,
        )
    }

    /// Runs for ever; only the leader writes.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub async fn run(mut self) -> Result<(), BoxError> {
        self.leadership.gained().await;
        let mut reported: HashMap<String, String> = HashMap::new();
        while let Some(malformed) = self.found.recv().await {
            let uid = malformed.metadata.uid.clone().unwrap_or_default();
            let content = format!("{:?} {}", malformed.metadata.generation, malformed.error);
            if reported.insert(uid, content.clone()).as_ref() != Some(&content) {
                self.report(&malformed).await;
            }
        }
        Err("nobody watches profiles any more".into())
    }

    async fn report(&self, malformed: &Malformed) {
        let meta = &malformed.metadata;
        let name = meta.name.clone().unwrap_or_default();
        let namespace = meta.namespace.clone().unwrap_or_default();
        let patch = Patch::Merge(status_patch(malformed));
        // Read back as metadata only: the object itself still cannot be read.
        let api: Api<kube::core::PartialObjectMeta<PodIdentityProfile>> =
            Api::namespaced(self.client.clone(), &namespace);
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..Default::default()
        };
        if let Err(error) = api.patch_status(&name, &params, &patch).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                namespace,
                name,
                error,
                "status of an unreadable profile not written"
            );
        }
    }
}

/// A merge, and not an apply: the record of what was made for the profile must stay.
fn status_patch(malformed: &Malformed) -> Value {
    let meta = &malformed.metadata;
    let generation = meta.generation.unwrap_or_default();
    let error = &malformed.error;
    let outcome = ReconcileOutcome::Stalled {
        reason: "Unreadable".to_owned(),
        message: format!(
            "the profile's spec cannot be read: {error}; correct it and apply the profile again"
        ),
    };
    let conditions = condition::conditions(&outcome, &[], &[], generation, &now(), &[]);
    let conditions: Vec<_> = conditions.into_iter().map(to_kubernetes).collect();
    json!({
        "metadata": { "uid": meta.uid },
        "status": { "observedGeneration": generation, "conditions": conditions },
    })
}
