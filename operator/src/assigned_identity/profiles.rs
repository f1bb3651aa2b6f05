//! What profiles and classes say about managed identities: which one a profile has, what a person asks
//! for by annotation, and whether the owner that an identity's tags name lets others use it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::FutureExt;
use futures::stream::{self, BoxStream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use podid_core::arm::ArmId;
use podid_core::binding::TaggedOwner;
use podid_core::class::Class;
use podid_core::owner::Owner;
use podid_core::profile::ConditionType;
use podid_crds::convert;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_runtime::{BoxError, Drain};

use podid_index::ObjectKey;

use super::index::RecordedIdentity;
use super::shared_index::SharedIndex;
use crate::annotations::REQUESTED_AT;
use crate::dirty::DirtySet;
use podid_index::watch::Watch;

/// The profiles and classes of the cluster.
#[derive(Clone, Debug)]
pub struct ProfileStores {
    profiles: Watch<PodIdentityProfile>,
    classes: Watch<PodIdentityClass>,
    namespaces: Watch<PartialObjectMeta<Namespace>>,
}

/// A profile, as far as assignment needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProfileSummary {
    /// The identity in its status.
    pub(super) recorded: Option<RecordedIdentity>,
    /// When a person last asked for it to be looked at.
    pub(super) requested: Option<String>,
    /// What podid has made for it: the client id of its identity, the ids of the role assignments, and since when
    /// all of these are in force.
    pub(super) made: BTreeSet<String>,
}

/// Profiles whose identities `targets` are to look at.
#[derive(Clone, Debug, Default)]
pub(super) struct ConcernedProfiles {
    /// A person asks to have them compared.
    pub(super) requested: DirtySet<ObjectKey>,
    /// Something was made for them that their identities may have lacked.
    pub(super) mended: DirtySet<ObjectKey>,
}

/// A profile or class that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChangedObject {
    /// A profile; `None` when it is gone.
    Profile(ObjectKey, Option<ProfileSummary>),
    /// A class, by its name; `None` when it is gone.
    Class(String, Option<Box<Class>>),
    /// The labels of a namespace; `None` when it is gone.
    Namespace(String, Option<BTreeMap<String, String>>),
}

impl ProfileStores {
    /// Reads from watches that others run.
    #[must_use]
    pub fn new(
        profiles: Watch<PodIdentityProfile>,
        classes: Watch<PodIdentityClass>,
        namespaces: Watch<PartialObjectMeta<Namespace>>,
    ) -> Self {
        Self {
            profiles,
            classes,
            namespaces,
        }
    }

    /// Waits until everything has been seen once; `false` when the process drains before.
    pub(super) async fn seen(&self, drain: &Drain) -> Result<bool, BoxError> {
        Ok(self.profiles.seen(drain).await?
            && self.classes.seen(drain).await?
            && self.namespaces.seen(drain).await?)
    }

    /// Everything that is there, then each change. Ask once everything has been [seen](Self::seen).
    pub(super) fn changes(&self) -> BoxStream<'static, ChangedObject> {
        let store = self.profiles.store();
        let profiles = self.profiles.touched().map(move |touched| {
            let now = store.get(&ObjectRef::from_obj(touched.as_ref()));
            let key = ObjectKey::new(touched.namespace().unwrap_or_default(), touched.name_any());
            ChangedObject::Profile(key, now.as_deref().map(summary))
        });
        let store = self.classes.store();
        let classes = self.classes.touched().map(move |touched| {
            let now = store.get(&ObjectRef::from_obj(touched.as_ref()));
            ChangedObject::Class(
                touched.name_any(),
                now.as_deref().map(convert::class).map(Box::new),
            )
        });
        let store = self.namespaces.store();
        let namespaces = self.namespaces.touched().map(move |touched| {
            let now = store.get(&ObjectRef::from_obj(touched.as_ref()));
            ChangedObject::Namespace(touched.name_any(), now.map(|now| now.labels().clone()))
        });
        stream::select(profiles, stream::select(classes, namespaces)).boxed()
    }

    /// The owner that the tags of an identity name, compared with the profiles and classes of this cluster.
    pub(super) fn tagged_owner(&self, owner: Owner) -> TaggedOwner {
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

/// Applies to the index which identity each profile has. Passes on for which profiles a person asks for a
/// comparison, and which profiles may allow other uses of their identities than before.
pub(super) struct ProfileFacts {
    stores: ProfileStores,
    changes: BoxStream<'static, ChangedObject>,
    index: SharedIndex,
    concerned: ConcernedProfiles,
    /// For `verification`: profiles that may allow other uses of their identities than before; `None` for all.
    changed_owners: DirtySet<Option<ObjectKey>>,
    /// When people last asked for each profile.
    requested: HashMap<ObjectKey, String>,
    /// What there was for each profile.
    made: HashMap<ObjectKey, BTreeSet<String>>,
}

impl ProfileFacts {
    pub(super) fn new(
        stores: ProfileStores,
        index: SharedIndex,
        concerned: ConcernedProfiles,
        changed_owners: DirtySet<Option<ObjectKey>>,
    ) -> Self {
        Self {
            changes: stream::empty().boxed(),
            stores,
            index,
            concerned,
            changed_owners,
            requested: HashMap::new(),
            made: HashMap::new(),
        }
    }

    /// Applies every profile that is there; `false` if the process drains before they are known.
    pub(super) async fn list(&mut self, drain: &Drain) -> Result<bool, BoxError> {
        if !self.stores.seen(drain).await? {
            return Ok(false);
        }
        self.changes = self.stores.changes();
        while let Some(Some(changed)) = self.changes.next().now_or_never() {
            self.apply(changed);
        }
        Ok(true)
    }

    /// Applies each change from then on.
    pub(super) async fn run(mut self) -> Result<(), BoxError> {
        loop {
            let changed = self.changes.next().await.ok_or("the watches ended")?;
            self.apply(changed);
        }
    }

    pub(super) fn apply(&mut self, changed: ChangedObject) {
        match changed {
            ChangedObject::Profile(key, profile) => self.apply_profile(key, profile),
            ChangedObject::Class(name, class) => {
                self.index.set_class(&name, class.map(|class| *class));
                // A class may be that of any profile.
                self.changed_owners.add([None]);
            }
            ChangedObject::Namespace(name, labels) => self.index.set_namespace(&name, labels),
        }
    }

    fn apply_profile(&mut self, key: ObjectKey, profile: Option<ProfileSummary>) {
        let ProfileSummary {
            recorded,
            requested,
            made,
        } = profile.unwrap_or_default();
        self.index.set_recorded(&key, recorded);
        let before = match requested.clone() {
            Some(requested) => self.requested.insert(key.clone(), requested),
            None => self.requested.remove(&key),
        };
        if requested.is_some() && requested != before {
            self.concerned.requested.add([key.clone()]);
        }
        if self.has_more(&key, made) {
            self.concerned.mended.add([key.clone()]);
        }
        self.changed_owners.add([Some(key)]);
    }

    /// Whether something was made for a profile that was known before.
    fn has_more(&mut self, key: &ObjectKey, made: BTreeSet<String>) -> bool {
        let before = match made.is_empty() {
            true => self.made.remove(key),
            false => self.made.insert(key.clone(), made.clone()),
        };
        before.is_some_and(|before| !made.is_subset(&before))
    }
}

fn summary(profile: &PodIdentityProfile) -> ProfileSummary {
    let status = profile.status.as_ref();
    let identity = status.and_then(|status| status.identity.as_ref());
    let granted = status.and_then(|status| status.role_assignments.as_ref());
    let granted = granted
        .into_iter()
        .flatten()
        .map(|granted| granted.id.clone());
    let client_id = identity.map(|identity| identity.client_id.clone());
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let access = conditions.into_iter().flatten().find(|condition| {
        condition.type_ == ConditionType::AccessReady.as_str() && condition.status == "True"
    });
    let in_force = access.map(|access| access.last_transition_time.0.to_string());
    ProfileSummary {
        recorded: identity.map(|identity| RecordedIdentity {
            id: ArmId::new(&identity.resource_id),
            class: profile.spec.class_name.clone(),
        }),
        requested: profile.annotations().get(REQUESTED_AT).cloned(),
        made: granted.chain(client_id).chain(in_force).collect(),
    }
}

#[cfg(test)]
impl ProfileStores {
    /// No profiles and no classes.
    pub(super) fn nobody(client: &kube::Client) -> Self {
        let readiness = podid_runtime::Readiness::new();
        let api = kube::Api::all(client.clone());
        let (profiles, _) = Watch::new(api, readiness.register("profiles"));
        let api = kube::Api::all(client.clone());
        let (classes, _) = Watch::new(api, readiness.register("classes"));
        let api = kube::Api::all(client.clone());
        let (namespaces, _) = Watch::new(api, readiness.register("namespaces"));
        Self::new(profiles, classes, namespaces)
    }
}
