//! What the profile controller works with.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt};
use podid_core::class::OperatorEnvironment;
use podid_core::profile::finalizer::is_held;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_index::events::EventWriter;

use super::adoptions::Adoptions;
use super::children::ChildStores;
use super::ended::EndedProfiles;
use super::lists::SharedLists;
use super::queue::ProfileQueue;
use super::reminders::Reminders;
use crate::assigned_identity::AssignmentView;
use crate::azure::Azure;
use crate::leader::Leadership;
use crate::metrics::ControllerMetrics;
use crate::retry::Retries;

/// Whether the profile has podid's finalizer.
pub(super) fn has_finalizer(profile: &PodIdentityProfile) -> bool {
    is_held(profile.finalizers())
}

/// What the profile controller works with.
#[derive(Clone)]
pub struct ProfileContext {
    /// Client of the API server.
    pub client: Client,
    /// Azure.
    pub azure: Azure,
    /// What the operator itself can serve.
    pub operator: OperatorEnvironment,
    /// All classes.
    pub classes: Store<PodIdentityClass>,
    /// All namespaces, for their labels.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    /// Namespace of the operator.
    pub namespace: String,
    /// All profiles.
    pub profiles: Store<PodIdentityProfile>,
    /// Which identities are on which VM or scale set, and how far bound pods are.
    pub assignment_view: AssignmentView,
    /// Whether this replica may write.
    pub leadership: Leadership,
    /// Where Events go.
    pub events: EventWriter,
    /// Counters.
    pub metrics: ControllerMetrics,
    /// How often a profile without an interval is compared with Azure.
    pub interval: Duration,
    /// The objects that profiles own.
    pub children: ChildStores,
    /// Which identities profiles are about to adopt or to make.
    pub adoptions: Adoptions,
    /// Profiles whose deletion has come to its end.
    pub ended: EndedProfiles,
    /// What is listed for all profiles.
    pub lists: SharedLists,
    /// Which profile is reconciled next.
    pub queue: ProfileQueue,
    /// How often each profile was tried again.
    pub retries: Retries,
    /// When it was last said why each profile is not ready.
    pub reminders: Reminders,
}

impl fmt::Debug for ProfileContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileContext")
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
