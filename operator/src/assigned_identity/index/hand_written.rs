//! What AzureIdentities that were written by hand are compared with.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use podid_core::arm::ArmId;
use podid_core::binding::{
    AzureIdentity, HandWrittenLimits, IdentityLookup, LegacyIdentities, ServingRules, Verification,
    is_made_by_profile, verify,
};
use podid_core::class::Class;
use podid_core::net_raw::Breach;
use podid_core::owner::Origin;
use podid_index::{Multi, ObjectKey};

/// The identity that a profile has in its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::assigned_identity) struct RecordedIdentity {
    pub(in crate::assigned_identity) id: ArmId,
    /// Class of the profile.
    pub(in crate::assigned_identity) class: String,
}

type Labels = BTreeMap<String, String>;

/// Classes, namespaces and profiles, as far as such objects are held to them, and the pods that use one.
#[derive(Debug, Default)]
pub(super) struct HandWritten {
    rules: ServingRules,
    classes: HashMap<String, Class>,
    namespaces: HashMap<String, Labels>,
    /// Profiles by the identity in their status.
    holders: Multi<ArmId, ObjectKey>,
    /// What these have in their status.
    recorded: HashMap<ObjectKey, RecordedIdentity>,
    users: BTreeSet<ObjectKey>,
}

impl HandWritten {
    pub(super) fn new(rules: ServingRules) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    /// Takes a class, and names the pods whose identities have to be looked at again.
    pub(super) fn set_class(&mut self, name: &str, class: Option<Class>) -> BTreeSet<ObjectKey> {
        let changed = match class {
            Some(class) => self.classes.insert(name.to_owned(), class.clone()) != Some(class),
            None => self.classes.remove(name).is_some(),
        };
        self.concerned(changed)
    }

    /// Takes the labels of a namespace, and names the pods whose identities have to be looked at again.
    pub(super) fn set_namespace(
        &mut self,
        name: &str,
        labels: Option<Labels>,
    ) -> BTreeSet<ObjectKey> {
        let changed = match labels {
            Some(labels) => self.namespaces.insert(name.to_owned(), labels.clone()) != Some(labels),
            None => self.namespaces.remove(name).is_some(),
        };
        self.concerned(changed)
    }

    /// The identity that a profile has in its status.
    pub(super) fn recorded(&self, profile: &ObjectKey) -> Option<&ArmId> {
        self.recorded.get(profile).map(|recorded| &recorded.id)
    }

    /// Takes the identity that a profile has in its status. Names the pods of others whose identities have to be looked at
    /// again; `None` when nothing has changed.
    pub(super) fn set_recorded(
        &mut self,
        profile: &ObjectKey,
        now: Option<RecordedIdentity>,
    ) -> Option<BTreeSet<ObjectKey>> {
        if self.recorded.get(profile) == now.as_ref() {
            return None;
        }
        if let Some(before) = self.recorded.remove(profile) {
            self.holders.remove(&before.id, profile);
        }
        if let Some(now) = now {
            self.holders.insert(now.id.clone(), profile.clone());
            self.recorded.insert(profile.clone(), now);
        }
        Some(self.concerned(true))
    }

    /// Whether the class of a profile lets hand-written objects serve its identity.
    fn is_shared(&self, profile: &ObjectKey) -> bool {
        let recorded = self.recorded.get(profile);
        let class = recorded.and_then(|recorded| self.classes.get(&recorded.class));
        class.is_some_and(|class| class.limits.allow_hand_written)
    }

    fn concerned(&self, changed: bool) -> BTreeSet<ObjectKey> {
        match changed && self.rules.legacy == LegacyIdentities::WithinClass {
            true => self.users.clone(),
            false => BTreeSet::new(),
        }
    }

    /// Keeps whether a pod uses such an object.
    pub(super) fn set_user(&mut self, pod: &ObjectKey, uses: bool) {
        match uses {
            true => self.users.insert(pod.clone()),
            false => self.users.remove(pod),
        };
    }

    /// The verification of an identity for a pod with these breaches, and whether Azure has to be asked for it.
    pub(super) fn verify(
        &self,
        identity: &AzureIdentity,
        breaches: &BTreeSet<Breach>,
        known: Option<&IdentityLookup>,
    ) -> (Verification, bool) {
        let none = Labels::new();
        let profile = identity.profile();
        let recorded = profile.and_then(|profile| self.recorded(&profile));
        let named = identity.class.as_ref();
        let mut holders = self
            .holders
            .get(&identity.resource_id)
            .into_iter()
            .flatten();
        let limits = HandWrittenLimits {
            served: self.rules.legacy,
            class: named.and_then(|name| self.classes.get(name)),
            namespace_labels: self.namespaces.get(&identity.namespace).unwrap_or(&none),
            used_by: holders
                .find(|holder| holder.namespace != identity.namespace && !self.is_shared(holder)),
            net_raw: self.rules.legacy_net_raw,
            breaches,
        };
        let by_hand = identity.origin == Origin::HandWritten;
        let is_refused = by_hand && limits.refusal(identity).is_some();
        let needs_azure = !is_made_by_profile(identity, recorded) && !is_refused;
        (verify(identity, recorded, known, limits), needs_azure)
    }
}
