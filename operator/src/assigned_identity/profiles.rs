//! What profiles and classes say about managed identities: which one a profile has, what a person asks
//! for by annotation, and whether the owner that an identity's tags name lets others use it.

use std::collections::HashMap;

use futures::FutureExt;
use futures::stream::{self, BoxStream, StreamExt};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use podid_core::arm::ArmId;
use podid_core::binding::TaggedOwner;
use podid_core::owner::Owner;
use podid_crds::convert;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_runtime::{BoxError, Drain};

use podid_index::ObjectKey;

use super::dirty::DirtySet;
use super::shared_index::SharedIndex;
use crate::annotations::REQUESTED_AT;
use podid_index::watch::Watch;

/// The profiles and classes of the cluster.
#[derive(Clone, Debug)]
pub struct Owners {
    profiles: Watch<PodIdentityProfile>,
    classes: Watch<PodIdentityClass>,
}

/// A profile, as far as assignment needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SeenProfile {
    /// The identity in its status.
    pub(super) recorded: Option<ArmId>,
    /// When a person last asked for it to be looked at.
    pub(super) requested: Option<String>,
}

/// Something that an answer of [`Owners`] depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// A profile; `None` when it is gone.
    Profile(ObjectKey, Option<SeenProfile>),
    /// Any class.
    Class,
}

impl Owners {
    /// Reads from watches that others run.
    #[must_use]
    pub fn new(profiles: Watch<PodIdentityProfile>, classes: Watch<PodIdentityClass>) -> Self {
        Self { profiles, classes }
    }

    /// Waits until everything has been seen once; says no when the process drains before.
    pub(super) async fn seen(&self, drain: &Drain) -> Result<bool, BoxError> {
        Ok(self.profiles.seen(drain).await? && self.classes.seen(drain).await?)
    }

    /// Everything that is there, then each change. Ask once everything has been [seen](Self::seen).
    pub(super) fn touched(&self) -> BoxStream<'static, Touched> {
        let store = self.profiles.store();
        let profiles = self.profiles.touched().map(move |touched| {
            let now = store.get(&ObjectRef::from_obj(touched.as_ref()));
            let key = ObjectKey::new(touched.namespace().unwrap_or_default(), touched.name_any());
            Touched::Profile(key, now.as_deref().map(seen))
        });
        let classes = self.classes.touched().map(|_| Touched::Class);
        stream::select(profiles, classes).boxed()
    }

    /// What the owner that tags name lets others do.
    pub(super) fn judge(&self, owner: Owner) -> TaggedOwner {
        let named = ObjectRef::new(&owner.profile).within(&owner.namespace);
        let profile = self.profiles.store().get(&named);
        let class = profile.as_ref().and_then(|profile| {
            let class = ObjectRef::new(&profile.spec.class_name);
            self.classes.store().get(&class)
        });
        let class = class.as_deref().map(convert::class);
        let uid = profile.as_ref().and_then(|profile| profile.uid());
        TaggedOwner::of(owner, uid.as_deref().map(|uid| (uid, class.as_ref())))
    }
}

/// Applies to the index which identity each profile has, and passes on what people ask for and whose
/// word about identities may be another.
pub(super) struct ProfileFacts {
    owners: Owners,
    touched: BoxStream<'static, Touched>,
    index: SharedIndex,
    /// For `targets`: profiles that a person asks to have compared.
    requests: DirtySet<ObjectKey>,
    /// For `verification`: profiles whose word may be another; `None` for all of them.
    judged: DirtySet<Option<ObjectKey>>,
    /// When people last asked for each profile.
    requested: HashMap<ObjectKey, String>,
}

impl ProfileFacts {
    pub(super) fn new(
        owners: Owners,
        index: SharedIndex,
        requests: DirtySet<ObjectKey>,
        judged: DirtySet<Option<ObjectKey>>,
    ) -> Self {
        Self {
            touched: stream::empty().boxed(),
            owners,
            index,
            requests,
            judged,
            requested: HashMap::new(),
        }
    }

    /// Applies every profile that is there; `false` if the process drains before they are known.
    pub(super) async fn list(&mut self, drain: &Drain) -> Result<bool, BoxError> {
        if !self.owners.seen(drain).await? {
            return Ok(false);
        }
        self.touched = self.owners.touched();
        while let Some(Some(touched)) = self.touched.next().now_or_never() {
            self.apply(touched);
        }
        Ok(true)
    }

    /// Applies each change from then on.
    pub(super) async fn run(mut self) -> Result<(), BoxError> {
        loop {
            let touched = self.touched.next().await.ok_or("the watches ended")?;
            self.apply(touched);
        }
    }

    pub(super) fn apply(&mut self, touched: Touched) {
        let Touched::Profile(key, profile) = touched else {
            // A class may be that of any profile.
            self.judged.add([None]);
            return;
        };
        let SeenProfile {
            recorded,
            requested,
        } = profile.unwrap_or_default();
        self.index.set_recorded(&key, recorded);
        let before = match requested.clone() {
            Some(requested) => self.requested.insert(key.clone(), requested),
            None => self.requested.remove(&key),
        };
        if requested.is_some() && requested != before {
            self.requests.add([key.clone()]);
        }
        self.judged.add([Some(key)]);
    }
}

fn seen(profile: &PodIdentityProfile) -> SeenProfile {
    let identity = profile.status.as_ref();
    let identity = identity.and_then(|status| status.identity.as_ref());
    SeenProfile {
        recorded: identity.map(|identity| ArmId::new(&identity.resource_id)),
        requested: profile.annotations().get(REQUESTED_AT).cloned(),
    }
}

#[cfg(test)]
impl Owners {
    /// No profiles and no classes.
    pub(super) fn nobody(client: &kube::Client) -> Self {
        let readiness = podid_runtime::Readiness::new();
        let api = kube::Api::all(client.clone());
        let (profiles, _) = Watch::new(api, readiness.register("profiles"));
        let api = kube::Api::all(client.clone());
        let (classes, _) = Watch::new(api, readiness.register("classes"));
        Self::new(profiles, classes)
    }
}
