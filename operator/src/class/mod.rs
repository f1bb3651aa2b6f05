//! The controller of PodIdentityClasses: says whether a class can be used, and by how many
//! profiles it is.
//!
//! ```text
//! check (no call) ──► ask (Azure) ──► core::class::azure::judge ──► status, Events
//! ```

mod ask;
mod reconcile;
mod schedule;
mod status;
mod usability;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::Client;
use kube::runtime::controller::{self, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use podid_azure::{Cloud, RoleAssignments, Subscriptions};
use podid_core::class::{self, Class};
use podid_core::class::{FixedBy, Violation, check_class};
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_runtime::{BoxError, Drain};
pub use schedule::Schedule;
pub use usability::{Usability, usability};

use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::profile::{Retries, trigger};
use podid_index::events::EventWriter;
use podid_index::watch::Watch;

/// How many classes are worked on at once.
const CONCURRENCY: u16 = 4;

/// What this operator can serve, whatever a class says.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Cloud the operator talks to.
    pub cloud: Cloud,
    /// Tenant of the operator's own identity, where it is known.
    pub tenant_id: Option<String>,
}

impl Facts {
    /// Why a class cannot be used; empty when it can.
    #[must_use]
    pub fn problems(&self, class: &Class) -> Vec<Violation> {
        let mut problems = check_class(class);
        let cloud = match class.cloud {
            class::Cloud::AzurePublicCloud => Cloud::Public,
            class::Cloud::AzureUSGovernmentCloud => Cloud::UsGovernment,
            class::Cloud::AzureChinaCloud => Cloud::China,
        };
        if cloud != self.cloud {
            let why = format!("is another cloud than the operator's, {}", self.cloud);
            problems.push(wrong("spec.cloud", cloud.as_str(), why));
        }
        let other = |own: &&String| !own.eq_ignore_ascii_case(&class.tenant_id);
        if let Some(own) = self.tenant_id.as_ref().filter(other) {
            let why = format!("is another tenant than that of the operator's identity, {own}");
            problems.push(wrong("spec.tenantId", &class.tenant_id, why));
        }
        problems
    }
}

fn wrong(field: &str, value: &str, why: String) -> Violation {
    Violation {
        field: field.to_owned(),
        value: value.to_owned(),
        why,
        mend: FixedBy::Author,
    }
}

/// What the class controller works with.
#[derive(Clone)]
pub struct Context {
    /// Client of the API server.
    pub client: Client,
    /// Subscriptions and resource groups.
    pub subscriptions: Arc<dyn Subscriptions>,
    /// Role definitions.
    pub roles: Arc<dyn RoleAssignments>,
    /// What the operator itself can serve.
    pub facts: Facts,
    /// All profiles.
    pub profiles: Store<PodIdentityProfile>,
    /// Whether this replica may write.
    pub leadership: Leadership,
    /// Where Events go.
    pub events: EventWriter,
    /// Counters.
    pub metrics: Metrics,
    /// How often a class is compared with Azure.
    pub interval: Duration,
    /// When each class is compared next.
    pub schedule: Schedule,
    /// How often each class was compared in vain.
    pub retries: Retries,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// Runs until `drain`. It may run on every replica: one that does not lead only keeps its queue.
///
/// # Errors
/// A watch has ended.
pub async fn run(
    context: Context,
    classes: Watch<PodIdentityClass>,
    profiles: Watch<PodIdentityProfile>,
    drain: Drain,
) -> Result<(), BoxError> {
    // Before they are all known, none would be counted.
    if !profiles.seen(&drain).await? {
        return Ok(());
    }
    let changed = trigger::classes(&classes);
    let used = profiles
        .touched()
        .map(|profile| ObjectRef::new(&profile.spec.class_name));
    Controller::for_stream(changed, classes.store())
        // A class is never worked on twice at once: profiles that come meanwhile are counted together
        // after it. A class that Azure is slow about holds up no other.
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(used)
        .reconcile_all_on(context.leadership.gained_once())
        .graceful_shutdown_on(async move { drain.draining().await })
        .run(
            reconcile::reconcile,
            reconcile::after_error,
            Arc::new(context),
        )
        .for_each(|_| std::future::ready(()))
        .await;
    Ok(())
}

#[cfg(test)]
mod tests;
