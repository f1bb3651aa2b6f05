//! Facts about the objects of each kind, as values of `podid-core`.
//!
//! Objects are reduced to what is decided on as they arrive, so that no copy of a whole object is
//! kept.

use std::fmt::Debug;

use futures::{Stream, StreamExt};
use kube::core::DeserializeGuard;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use podid_core::binding::{AzureIdentity, Binding};
use podid_crds::aadpodidentity::{self as kinds, AzureIdentityBinding};
use podid_crds::convert;
use serde::de::DeserializeOwned;

use crate::key::{ObjectKey, key_of};
use crate::watch::{WatchFact, facts};

/// One change of a kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Update<V> {
    /// What an object comes to now; `None` when there is none (any more), it cannot be read, or it
    /// does not count.
    Object(ObjectKey, Option<V>),
    /// Every object that was there when a listing began has been given since.
    Listed,
}

/// Follows the objects of kind `K` in all namespaces, each as what `convert` makes of it.
pub fn updates<K, V>(
    client: &Client,
    config: watcher::Config,
    convert: fn(&K) -> Option<V>,
) -> impl Stream<Item = Update<V>> + Send + use<K, V>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let api: Api<DeserializeGuard<K>> = Api::all(client.clone());
    // Objects of podid's own kinds get a status that says what is wrong; for these there is the log.
    facts(api, config, drop).map(move |fact| match fact {
        WatchFact::Present(key, object) => Update::Object(key, convert(&object)),
        WatchFact::Gone(key) => Update::Object(key, None),
        WatchFact::Listed => Update::Listed,
    })
}

/// Reads an AzureIdentity; one whose type stands for nothing, or that a profile has left behind, is logged and does not
/// count.
#[must_use]
pub fn identity(object: &kinds::AzureIdentity) -> Option<AzureIdentity> {
    let identity = convert::identity(object);
    if identity.is_none() {
        ignored(object, "its type must be 0, 1 or 2");
    }
    identity
}

/// Reads an AzureIdentityBinding; one that a profile has left behind is logged and does not count.
#[must_use]
pub fn binding(object: &AzureIdentityBinding) -> Option<Binding> {
    let binding = convert::binding(object);
    if binding.is_none() {
        ignored(object, "it cannot be read");
    }
    binding
}

fn ignored<K: Resource<DynamicType = ()>>(object: &K, otherwise: &str) {
    let why = match convert::is_left_behind(object) {
        true => "podid made it for a profile that does not own it any more; delete it",
        false => otherwise,
    };
    let (object, kind) = (key_of(object), K::kind(&()));
    tracing::warn!(%object, %kind, "ignored: {why}");
}
