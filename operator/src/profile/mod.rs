//! The controller of PodIdentityProfiles.
//!
//! ```text
//! observe (Azure, cluster, status) ──► core::admit, core::plan ──► apply ──► status, Events
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `reconcile` | the story of one reconciliation |
//! | `applied` | whether the profile as it is written has been made in full |
//! | `decide` | what can be decided without a call |
//! | `observe` | reads: what Azure and the cluster hold |
//! | `apply` | effects: one function for each step of a plan |
//! | `children` | AzureIdentity and AzureIdentityBinding |
//! | `enforcement` | whether the `NET_RAW` policy is in force |
//! | `status` | the record in the status, and the conditions |
//! | `underway` | what the status says while the work goes on |
//! | `cleanup` | deletion |
//! | `verdict` | how it came out, in the words of conditions |
//! | `reminders` | says again why a profile is not ready |
//! | `error` | what a failure means to the profile |
//! | `pods` | what becomes of bound pods, what that does to the profile, and who waits for machines |

mod applied;
mod apply;
mod children;
mod cleanup;
mod decide;
mod enforcement;
mod error;
mod malformed;
mod observe;
mod pods;
mod reconcile;
mod reminders;
pub(crate) mod retry;
mod status;
mod suspended;
pub(crate) mod trigger;
mod underway;
mod verdict;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, Controller};
use kube::runtime::reflector::Store;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_runtime::{BoxError, Drain};
use tokio::sync::mpsc;

pub use malformed::Reporter as MalformedReporter;
pub use reminders::Reminders;
pub use retry::Retries;

use crate::assignment::{Assignments, Change};
use crate::azure::Azure;
use crate::class::Facts;
use crate::leader::Leadership;
use crate::metrics::Metrics;
use podid_index::events::EventWriter;
use podid_index::watch::Watch;

/// Keeps a profile until everything that belongs to it is gone.
pub const FINALIZER: &str = "podid.dev/profile";

/// Any change of this annotation's value asks for a reconciliation; Flux's word for it.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// What the profile controller works with.
#[derive(Clone)]
pub struct Context {
    /// Client of the API server.
    pub client: Client,
    /// Azure.
    pub azure: Azure,
    /// What the operator itself can serve.
    pub facts: Facts,
    /// All classes.
    pub classes: Store<PodIdentityClass>,
    /// All namespaces, for their labels.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    /// All profiles.
    pub profiles: Store<PodIdentityProfile>,
    /// Where identities are on machines.
    pub assignments: Assignments,
    /// Whether this replica may write.
    pub leadership: Leadership,
    /// Where Events go.
    pub events: EventWriter,
    /// Counters.
    pub metrics: Metrics,
    /// How often a profile without an interval is compared with Azure.
    pub interval: Duration,
    /// How often each profile was tried again.
    pub retries: Retries,
    /// When profiles that are not ready were told why.
    pub reminders: Reminders,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// The watches the controller is driven by.
#[derive(Clone, Debug)]
pub struct Watches {
    /// Profiles.
    pub profiles: Watch<PodIdentityProfile>,
    /// Classes.
    pub classes: Watch<PodIdentityClass>,
    /// Namespaces.
    pub namespaces: Watch<PartialObjectMeta<Namespace>>,
}

/// Runs until `drain`. It may run on every replica: one that does not lead only keeps its queue.
///
/// # Errors
/// A watch has ended.
pub async fn run(
    context: Context,
    watches: Watches,
    changes: mpsc::UnboundedReceiver<Change>,
    concurrency: u16,
    drain: Drain,
) -> Result<(), BoxError> {
    // Before they are all known, a profile would seem to be in no namespace and of no class.
    if !watches.classes.seen(&drain).await? || !watches.namespaces.seen(&drain).await? {
        return Ok(());
    }
    let context = Arc::new(context);
    let (released, releases) = mpsc::unbounded_channel();
    let pods = pods::follow(Arc::clone(&context), changes, released);
    let config = controller::Config::default().concurrency(concurrency);
    let controller = Controller::for_stream(
        trigger::profiles(&watches.profiles),
        context.profiles.clone(),
    )
    .with_config(config)
    .owns_stream(trigger::children::<podid_crds::aadpodidentity::AzureIdentity>(&context.client))
    .owns_stream(trigger::children::<
        podid_crds::aadpodidentity::AzureIdentityBinding,
    >(&context.client))
    .watches_stream(
        trigger::usable_classes(&watches.classes),
        trigger::of_class(&context.profiles),
    )
    .watches_stream(
        trigger::namespaces(&watches.namespaces),
        trigger::of_namespace(&context.profiles),
    )
    .reconcile_on(trigger::received(releases))
    .reconcile_all_on(context.leadership.gained_once())
    .graceful_shutdown_on(async move { drain.draining().await })
    .run(reconcile::reconcile, retry::after_error, context)
    .for_each(|_| std::future::ready(()));
    tokio::select! {
        () = controller => Ok(()),
        () = pods => Ok(()),
    }
}

#[cfg(test)]
mod tests;
