//! Whether profiles may use a class, as its own status says.

use kube::Resource;
use podid_core::condition::ConditionStatus;
use podid_crds::podid::PodIdentityClass;

use crate::conditions::ready_at;

/// What is known of a class as it is written now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Usability {
    /// Azure has confirmed it.
    Usable,
    /// Something is wrong with it: what, and the remedy.
    Unusable(String),
    /// It is still being compared with Azure.
    Unknown,
}

/// Reads it from the class's `Ready`, which the class controller writes: every replica sees the
/// same, also right after it began to lead.
#[must_use]
pub fn usability(class: &PodIdentityClass) -> Usability {
    let status = class.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let ready = ready_at(class.meta().generation, conditions);
    match ready.map(|ready| (ready.status, ready.message)) {
        Some((ConditionStatus::True, _)) => Usability::Usable,
        Some((ConditionStatus::False, message)) => Usability::Unusable(message),
        Some((ConditionStatus::Unknown, _)) | None => Usability::Unknown,
    }
}
