//! The end of an installation: no object waits for an operator that is gone.
//!
//! | file | holds |
//! |---|---|
//! | `check` | refuses an uninstallation that would strand profiles |
//! | `release` | takes podid's finalizer off a profile |
//!
//! What is stranded, and what is said of it, is decided by `podid_core::uninstall`.

mod check;
mod release;

use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use kube::ResourceExt;
use kube::runtime::controller::{self, Controller};
use podid_core::profile::finalizer::is_held;
use podid_index::watch::Watch;
use podid_runtime::{BoxError, Drain, ReadinessCheck};

pub use check::check;
pub use release::{ProfileMetadata, ReleaseContext};

use crate::trigger::touched;

/// How many profiles are worked on at once.
const CONCURRENCY: u16 = 8;

/// Takes podid's finalizer off every profile, also off those that come, until `drain`. `released` passes when no profile
/// has it.
///
/// # Errors
/// The watch has ended.
pub async fn run(
    context: ReleaseContext,
    profiles: Watch<ProfileMetadata>,
    released: ReadinessCheck,
    drain: Drain,
) -> Result<(), BoxError> {
    if !profiles.seen(&drain).await? {
        return Ok(());
    }
    tracing::info!(
        "podid is being uninstalled: profiles are not reconciled, nothing is changed in Azure, and podid's finalizer is \
         taken off every profile"
    );
    let leadership = context.leadership.clone();
    let controller = Controller::for_stream(touched(&profiles), profiles.store())
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_all_on(leadership.gained_once())
        .graceful_shutdown_on(async move { drain.draining().await })
        .run(release::release, release::after_error, Arc::new(context))
        .for_each(|_| std::future::ready(()));
    let pass = async {
        until_none_is_held(&profiles).await;
        tracing::info!("no profile has podid's finalizer: podid can be removed");
        released.pass();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = controller => Ok(()),
        () = pass => Ok(()),
    }
}

/// Waits until no profile has podid's finalizer, or the watch has ended.
async fn until_none_is_held(profiles: &Watch<ProfileMetadata>) {
    // Before the first look, so that no change is missed.
    let mut changes = pin!(profiles.touched());
    let is_any_held = || {
        let all = profiles.store().state();
        all.iter().any(|profile| is_held(profile.finalizers()))
    };
    while is_any_held() && changes.next().await.is_some() {}
}

#[cfg(test)]
mod tests;
