//! The controller of PodIdentityProfiles.
//!
//! ```text
//! queue ──► in_turn ──► precheck (no call) ──► recheck (shared lists) ──► as it should be
//!                              │                   │ anything differs
//!                              ▼                   ▼
//!                 a change, a deletion ──► reconcile ──► precheck again, of the profile as it is now
//!                                                          ├──► ensure: observe ──► core::profile::decide ──► apply
//!                                                          ├──► withdraw, suspended
//!                                                          └──► grace ──► cleanup
//!                                                                          └──► status, Events
//! ```
//!
//! Rules about a profile are in `podid_core::profile`; what is here reads, writes, and settles the order in time.
//!
//! | file | holds |
//! |---|---|
//! | `context` | what all of these work with |
//! | `queue` | the profiles that wait, and those that are reconciled |
//! | `in_turn` | one reconciliation, when it is the profile's turn |
//! | `recheck` | compares a profile that is ready with `lists` |
//! | `listed` | what these show of one profile |
//! | `lists` | what is listed once for all profiles |
//! | `reconcile` | one reconciliation from its begin to its end |
//! | `adoptions` | identities that profiles are about to adopt or to make |
//! | `precheck` | gathers what is known without a call |
//! | `ensure` | observe, decide, apply, for a profile that is admitted |
//! | `withdraw` | takes away what a class does not allow any more |
//! | `suspended` | what is read while a profile is suspended |
//! | `cleanup` | deletion |
//! | `grace` | waits for pods before a deletion |
//! | `shared_roles` | revokes what no profile needs any more |
//! | `observe` | reads: what Azure and the cluster hold |
//! | `apply` | effects: one function for each step of a plan |
//! | `children` | AzureIdentity and AzureIdentityBinding |
//! | `enforcement` | whether the `NET_RAW` policy is installed |
//! | `status` | the status between the words of `core` and those of Kubernetes |
//! | `spec_digest` | the digest in the status of the spec that was applied |
//! | `in_progress` | writes the status while the work goes on |
//! | `pods` | what bound pods do to a profile, and their part of its status |
//! | `error` | why a reconciliation stopped |
//! | `released` | profiles that wait until no VM or scale set has an identity any more |
//! | `reminders` | publishes again why a profile is not ready |
//! | `malformed` | profiles that cannot be read |
//! | `trigger` | the changes after which a profile is reconciled |

mod adoptions;
mod apply;
mod children;
mod cleanup;
mod context;
mod ended;
mod enforcement;
mod ensure;
mod error;
mod grace;
mod in_progress;
mod in_turn;
mod listed;
mod lists;
mod malformed;
mod observe;
mod pods;
mod precheck;
mod queue;
mod queued;
mod recheck;
mod reconcile;
mod released;
mod reminders;
mod shared_roles;
mod spec_digest;
mod status;
mod suspended;
mod trigger;
mod withdraw;

use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use podid_crds::aadpodidentity::{AzureIdentity, AzureIdentityBinding};
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_runtime::{BoxError, Drain};
use tokio::sync::mpsc;

pub use adoptions::Adoptions;
pub use children::ChildStores;
pub use context::ProfileContext;
pub use ended::EndedProfiles;
pub use lists::SharedLists;
pub use malformed::Reporter as MalformedReporter;
pub use queue::ProfileQueue;
pub use reminders::Reminders;

use crate::assigned_identity::{AssignmentChanges, ObjectKey};
use crate::trigger::touched;
use error::ReconcileError;
use podid_index::watch::Watch;

/// The watches the controller is driven by.
#[derive(Clone, Debug)]
pub struct Watches {
    /// Profiles.
    pub profiles: Watch<PodIdentityProfile>,
    /// Classes.
    pub classes: Watch<PodIdentityClass>,
    /// Namespaces.
    pub namespaces: Watch<PartialObjectMeta<Namespace>>,
    /// AzureIdentities.
    pub azure_identities: Watch<AzureIdentity>,
    /// AzureIdentityBindings.
    pub bindings: Watch<AzureIdentityBinding>,
}

/// Runs until `drain`. It may run on every replica: one that does not lead only keeps its queue.
///
/// # Errors
/// A watch has ended.
pub async fn run(
    context: ProfileContext,
    watches: Watches,
    changes: AssignmentChanges,
    drain: Drain,
) -> Result<(), BoxError> {
    // Before they are all known, a profile would seem to be in no namespace and of no class.
    if !watches.classes.seen(&drain).await? || !watches.namespaces.seen(&drain).await? {
        return Ok(());
    }
    let context = Arc::new(context);
    let (concerned, concerned_by_pods) = mpsc::unbounded_channel();
    let pods = pods::write_counts(
        Arc::clone(&context),
        changes.counts,
        watches.profiles.touched(),
        concerned,
    );
    let released =
        released::waiting_profiles(changes.targets_with_identity, context.profiles.clone());
    let queue = context.queue.clone();
    let controller = controller(&context, &watches)
        .reconcile_on(crate::trigger::received(concerned_by_pods))
        .reconcile_on(released)
        .reconcile_on(queue.startable())
        .reconcile_all_on(context.leadership.gained_once())
        .graceful_shutdown_on(async move { drain.draining().await })
        .run(in_turn::reconcile_in_turn, reconcile::after_error, context)
        .for_each(|ended| {
            give_back(&queue, ended);
            std::future::ready(())
        });
    tokio::select! {
        () = controller => Ok(()),
        () = pods => Ok(()),
    }
}

/// A profile whose turn came when it was gone already gives its place back.
fn give_back(
    queue: &ProfileQueue,
    ended: Result<
        (ObjectRef<PodIdentityProfile>, Action),
        controller::Error<ReconcileError, watcher::Error>,
    >,
) {
    if let Err(controller::Error::ObjectNotFound(gone)) = ended {
        let namespace = gone.namespace.unwrap_or_default();
        queue.end(&ObjectKey::new(namespace, gone.name));
    }
}

/// A controller that reconciles a profile after every change of it, of the objects it owns, of its class and of
/// its namespace, and when another that kept it from its identity is gone.
fn controller(context: &ProfileContext, watches: &Watches) -> Controller<PodIdentityProfile> {
    Controller::for_stream(
        trigger::profiles(&watches.profiles),
        context.profiles.clone(),
    )
    .owns_stream(touched(&watches.azure_identities))
    .owns_stream(touched(&watches.bindings))
    .watches_stream(
        trigger::usable_classes(&watches.classes),
        trigger::of_class(&context.profiles),
    )
    .watches_stream(
        trigger::namespaces(&watches.namespaces),
        trigger::of_namespace(&context.profiles),
    )
    .watches_stream(
        trigger::gone_profiles(&watches.profiles),
        trigger::kept_from_identity(&context.profiles),
    )
}

#[cfg(test)]
mod tests;
