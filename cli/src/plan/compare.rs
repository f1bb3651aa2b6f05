//! Plans for all profiles of a version of the files, against an earlier version where there is one.

use std::collections::{BTreeMap, BTreeSet};

use podid_core::class::Class;
use podid_core::profile::observed::ProfileRecord;
use podid_core::profile::{Profile, expected};

use super::assess::{Before, EarlierProfile, assess, assess_deleted, desired};
use super::declared::{Declared, Typed};
use super::earlier::Earlier;
use super::places::place;
use super::profile_plan::{Pods, ProfilePlan};
use podid_crds::podid::PodIdentityProfile;

/// What files cannot say.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// Namespace of profiles that name none.
    pub(super) namespace: String,
    /// Labels of every namespace.
    pub(super) labels: BTreeMap<String, String>,
}

/// Namespace and name of a profile.
type Key = (String, String);

/// A profile names a class that none of the files has.
#[derive(Debug)]
pub(super) struct NoClass {
    pub(super) profile: String,
    pub(super) class: String,
}

/// One version of the files, in the words of `core`.
struct Version<'a> {
    declared: &'a Declared,
    classes: BTreeMap<&'a str, Class>,
    profiles: BTreeMap<Key, (Profile, &'a Typed<PodIdentityProfile>)>,
    /// What the status of each profile records; empty for files.
    records: BTreeMap<Key, ProfileRecord>,
}

impl<'a> Version<'a> {
    fn new(declared: &'a Declared, context: &Context) -> Self {
        let classes = declared.classes.iter();
        let classes =
            classes.map(|(name, class)| (name.as_str(), podid_crds::convert::class(&class.object)));
        let profiles = declared.profiles.iter().map(|typed| {
            let profile = profile(&typed.object, declared, context);
            let key = (profile.namespace.clone(), profile.name.clone());
            (key, (profile, typed))
        });
        Self {
            declared,
            classes: classes.collect(),
            profiles: profiles.collect(),
            records: BTreeMap::new(),
        }
    }

    /// The version that is compared with.
    fn earlier(earlier: &'a Earlier, context: &Context) -> Self {
        let mut version = Self::new(&earlier.declared, context);
        if earlier.is_cluster {
            let profiles = version.profiles.iter();
            let records = profiles.map(|(key, (_, typed))| {
                let record = podid_crds::convert::record(&typed.object);
                (key.clone(), record)
            });
            version.records = records.collect();
        }
        version
    }

    /// Every profile has the uid that the cluster knows it by, which the tags of its identity hold.
    fn with_uids_of(mut self, earlier: &Self) -> Self {
        for (key, (profile, _)) in &mut self.profiles {
            if let Some((known, _)) = earlier.profiles.get(key) {
                profile.uid.clone_from(&known.uid);
            }
        }
        self
    }

    /// Why the operator is not done with a profile of a cluster.
    fn unready(&self, key: &Key) -> Option<String> {
        let typed = self.records.get(key).and(self.profiles.get(key))?.1;
        let status = typed.object.status.as_ref()?;
        let conditions = status.conditions.iter().flatten();
        let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
        let message = match ready.next() {
            Some(ready) if ready.status == "True" => return None,
            Some(ready) => &ready.message,
            None => "the operator has not looked at it yet",
        };
        Some(message.to_owned())
    }

    fn profile<'b>(&'b self, key: &Key, version: &'b str) -> Option<EarlierProfile<'b>> {
        let (profile, _) = self.profiles.get(key)?;
        Some(EarlierProfile {
            profile,
            class: self.class(profile),
            record: self.records.get(key),
            version,
        })
    }

    fn class(&self, profile: &Profile) -> Option<&Class> {
        self.classes.get(profile.class_name.as_str())
    }
}

fn profile(object: &PodIdentityProfile, declared: &Declared, context: &Context) -> Profile {
    let mut object = object.clone();
    let namespace = object.metadata.namespace.take();
    let namespace = namespace.unwrap_or_else(|| context.namespace.clone());
    let mut labels = context.labels.clone();
    labels.extend(
        declared
            .namespaces
            .get(&namespace)
            .cloned()
            .unwrap_or_default(),
    );
    object.metadata.namespace = Some(namespace);
    let uid = object.metadata.uid.take();
    object.metadata.uid = Some(uid.unwrap_or_else(|| expected::UID.to_owned()));
    podid_crds::convert::profile(&object, labels)
}

/// Plans every profile of `new`, and the end of those of `earlier` that it does not have and that do not stay.
pub(super) fn plans(
    new: &Declared,
    earlier: Option<&Earlier>,
    context: &Context,
) -> Result<Vec<ProfilePlan>, NoClass> {
    let nothing = Declared::default();
    let version = earlier.map_or("", |earlier| &earlier.name);
    let old = match earlier {
        Some(earlier) => Version::earlier(earlier, context),
        None => Version::new(&nothing, context),
    };
    let new = Version::new(new, context).with_uids_of(&old);
    let shared: Vec<_> = old
        .profiles
        .values()
        .filter_map(|(profile, _)| desired(profile, old.class(profile)))
        .flat_map(|desired| expected::shared_assignments(&desired))
        .collect();
    let keys: BTreeSet<_> = new.profiles.keys().chain(old.profiles.keys()).collect();
    let stay = earlier.map(|earlier| &earlier.stay);
    let left = left(&new, &old, stay);
    let mut plans = Vec::new();
    for key in keys {
        let before = old.profile(key, version);
        let Some((profile, typed)) = new.profiles.get(key) else {
            let stays = earlier.is_some_and(|earlier| earlier.stay.contains(key));
            let gone = before.filter(|_| !stays);
            plans.extend(gone.map(|gone| assess_deleted(&gone, &left)));
            continue;
        };
        let class = new.class(profile).ok_or_else(|| NoClass {
            profile: format!("{}/{}", profile.namespace, profile.name),
            class: profile.class_name.clone(),
        })?;
        let before = Before {
            profile: before,
            shared: &shared,
        };
        let mut planned = assess(profile, class, before);
        locate(&mut planned, typed, &new);
        planned.unready = old.unready(key);
        planned.pods.workloads = workloads(&planned.pods, new.declared, context);
        plans.push(planned);
    }
    Ok(plans)
}

/// The classes of the profiles that are left, `None` for one that is missing.
fn left(new: &Version<'_>, old: &Version<'_>, stay: Option<&BTreeSet<Key>>) -> Vec<Option<Class>> {
    let stays =
        |key: &Key| !new.profiles.contains_key(key) && stay.is_some_and(|it| it.contains(key));
    let staying = old.profiles.iter().filter(|(key, _)| stays(key));
    let staying = staying.map(|(_, (profile, _))| old.class(profile).cloned());
    let planned = new.profiles.values();
    let planned = planned.map(|(profile, _)| new.class(profile).cloned());
    planned.chain(staying).collect()
}

/// Adds the lines that a plan is about.
fn locate(planned: &mut ProfilePlan, typed: &Typed<PodIdentityProfile>, new: &Version<'_>) {
    let patches = &new.declared.patches;
    planned.place = typed.declared.place_of("metadata.name");
    for violation in &mut planned.violations {
        let (field, value) = (&violation.violation.field, &violation.violation.value);
        violation.place = place(&typed.declared, patches, field, value);
    }
    let class = new.declared.classes.get(&planned.class);
    for violation in &mut planned.class_violations {
        let (field, value) = (&violation.violation.field, &violation.violation.value);
        violation.place = class.and_then(|class| place(&class.declared, patches, field, value));
    }
}

fn workloads(pods: &Pods, declared: &Declared, context: &Context) -> Vec<String> {
    let bound = declared.workloads.iter().filter(|workload| {
        let namespace = workload.namespace.as_ref().unwrap_or(&context.namespace);
        *namespace == pods.namespace
            && workload.selector == pods.selector
            && (pods.service_accounts.is_empty()
                || pods.service_accounts.contains(&workload.service_account))
    });
    bound.map(|workload| workload.described.clone()).collect()
}
