//! What makes a class worth another reconciliation.

use futures::{Stream, stream};
use kube::runtime::utils::PredicateConfig;
use kube::runtime::{Predicate, WatchStreamExt, predicates};
use podid_crds::podid::PodIdentityClass;
use podid_index::watch::Watch;
use tokio::sync::watch;

use crate::trigger::{Trigger, is_there, touched, uid};

/// Classes whose spec or annotations changed, or that came or went. A
/// generation does not show the last two.
pub(super) fn classes(
    watch: &Watch<PodIdentityClass>,
) -> impl Stream<Item = Trigger<PodIdentityClass>> + Send + 'static {
    let of_note = predicates::generation
        .combine(predicates::annotations)
        .combine(uid)
        .combine(is_there(watch));
    touched(watch).predicate_filter(of_note, PredicateConfig::default())
}

/// One item whenever the value is another one.
pub(super) fn changes<T: Send + Sync + 'static>(
    receiver: watch::Receiver<T>,
) -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold(receiver, |mut receiver| async move {
        receiver.changed().await.ok()?;
        Some(((), receiver))
    })
}
