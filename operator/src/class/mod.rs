//! The controller of PodIdentityClasses: reports whether a class can be used, and by how many
//! profiles it is.
//!
//! ```text
//! core::class::class_action ──► ask (Azure) ──► core::class::azure::class_outcome ──► status, Events
//!                            └► cluster (policies, neighbours) ──────────────────────┘
//! ```
//!
//! Every rule is in `podid_core::class`; what is here asks and writes.

mod ask;
mod cluster;
mod context;
mod reconcile;
mod schedule;
mod status;
mod trigger;

use std::sync::Arc;

pub use context::ClassContext;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, Controller};
use kube::runtime::reflector::ObjectRef;
use podid_azure::AzureCloud;
use podid_core::class::{self, OperatorEnvironment};
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_runtime::{BoxError, Drain};
pub use schedule::Schedule;

use podid_index::watch::Watch;

/// How many classes are worked on at once.
const CONCURRENCY: u16 = 4;

/// What this operator can serve, in the words of `core`.
#[must_use]
pub fn operator_environment(cloud: AzureCloud, tenant_id: Option<String>) -> OperatorEnvironment {
    let cloud = match cloud {
        AzureCloud::Public => class::Cloud::AzurePublicCloud,
        AzureCloud::UsGovernment => class::Cloud::AzureUSGovernmentCloud,
        AzureCloud::China => class::Cloud::AzureChinaCloud,
    };
    OperatorEnvironment {
        cloud: Some(cloud),
        tenant_id,
    }
}

/// The watches the controller is driven by.
#[derive(Clone, Debug)]
pub struct ClassWatches {
    /// Classes.
    pub classes: Watch<PodIdentityClass>,
    /// Profiles.
    pub profiles: Watch<PodIdentityProfile>,
    /// Namespaces.
    pub namespaces: Watch<PartialObjectMeta<Namespace>>,
}

/// Runs until `drain`. It may run on every replica: one that does not lead only keeps its queue.
///
/// # Errors
/// A watch has ended.
pub async fn run(
    context: ClassContext,
    watches: ClassWatches,
    drain: Drain,
) -> Result<(), BoxError> {
    let ClassWatches {
        classes,
        profiles,
        namespaces,
    } = watches;
    // Before they are all known, no profile would be counted, and no namespace admitted.
    if !profiles.seen(&drain).await? || !namespaces.seen(&drain).await? {
        return Ok(());
    }
    let changed = trigger::classes(&classes);
    let used = profiles
        .touched()
        .map(|profile| ObjectRef::new(&profile.spec.class_name));
    Controller::for_stream(changed, classes.store())
        // The controller never works on one class twice at once, and counts profiles that come meanwhile
        // together after it. A slow answer about one class delays no other.
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(used)
        .reconcile_all_on(trigger::changes(context.nodes.clone()))
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
