//! The inputs and outputs of a target's state machine.

use std::fmt;

use serde::Serialize;

use crate::arm::ArmId;
use crate::moment::Moment;
use crate::target::desired::DesiredIdentities;
use crate::target::error::TargetError;
use crate::target::observation::TargetObservation;
use crate::target::plan::TargetPlan;
use crate::target::record::AssignmentRecord;
use crate::target::status::TargetStatus;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetEvent {
    /// The desired identities changed; the number is their generation, which grows with each change.
    Desired(u64, DesiredIdentities),
    /// A person requested another try for this identity: the target is compared soon, and the identity is
    /// tried again if it was refused.
    Requested(ArmId),
    /// Something was made or granted that this identity may have lacked: if it was refused, the same follows.
    MayBeMended(ArmId),
    /// The time of the last [`TargetAction::WakeAt`] has come. An earlier event has no effect.
    Woke,
    /// [`TargetAction::Read`] ended; `None` if Azure has no such VM or scale set.
    Read(Result<Option<TargetObservation>, TargetError>),
    /// [`TargetAction::SaveRecord`] ended; the error as text.
    Saved(Result<(), String>),
    /// [`TargetAction::Patch`] ended, with what was read after it.
    Patched(Result<TargetObservation, TargetError>),
}

/// Something to do now. A step asks either for one call (`Read`, `SaveRecord`, `Patch`) or for a wait
/// (`WakeAt`, `Rest`), never for both. While a call is under way, the only other events are `Desired`,
/// `Requested` and `MayBeMended`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TargetAction {
    /// Read the target.
    Read,
    /// Replace the stored record; an empty one is deleted.
    SaveRecord(AssignmentRecord),
    /// Change the target.
    Patch(TargetPatch),
    /// The status has changed.
    Report(TargetStatus),
    /// Write to the log.
    Log(TargetNotice),
    /// Nothing is to be done before this time, which replaces an earlier one.
    WakeAt(Moment),
    /// Nothing is to be done until something else is desired.
    Rest,
}

/// A change of the user-assigned identities of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetPatch {
    /// What is added and removed.
    pub plan: TargetPlan,
    /// The target as it was read, which the change must match: its `etag`, and the kinds of identity
    /// that it keeps.
    pub on: TargetObservation,
}

/// Something that happened to a target and that people may look for in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TargetNotice {
    /// Somebody else changed it meanwhile, this number of times in a row.
    Conflict(u32),
    /// Azure does not have it.
    Gone,
    /// Azure confirmed a change, and does not show it.
    NotVisible,
    /// An identity was refused; the others go on without it.
    Refused(ArmId, String),
    /// An identity was taken off and put on again, and nothing is different.
    NotRenewed(ArmId, String),
    /// The comparison could not be finished.
    Unfinished(String),
}

impl TargetNotice {
    /// Whether a person may have to act.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        !matches!(self, Self::Conflict(_) | Self::Gone)
    }
}

impl fmt::Display for TargetNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(count) => write!(
                f,
                "somebody else changes the VM or scale set ({count} in a row); reading it again"
            ),
            Self::Gone => f.write_str("Azure does not have the VM or scale set (any more)"),
            Self::NotVisible => f.write_str("Azure confirmed a change and does not show it"),
            Self::Refused(id, why) => {
                write!(
                    f,
                    "identity {id} refused; the others go on without it: {why}"
                )
            }
            Self::NotRenewed(id, why) => write!(f, "identity {id} put on again in vain: {why}"),
            Self::Unfinished(why) => {
                write!(
                    f,
                    "the identities of the VM or scale set are not as desired: {why}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::id;

    #[test]
    fn a_notice_says_what_happened_and_warns_when_a_person_may_have_to_act() {
        let web = id("web");
        let of = |notice: fn(ArmId, String) -> TargetNotice| notice(web.clone(), "why".into());
        let table = [
            (TargetNotice::Conflict(3), false, "(3 in a row)"),
            (
                TargetNotice::Gone,
                false,
                "does not have the VM or scale set",
            ),
            (TargetNotice::NotVisible, true, "does not show it"),
            (of(TargetNotice::Refused), true, "/web refused; "),
            (
                of(TargetNotice::NotRenewed),
                true,
                "/web put on again in vain: why",
            ),
            (
                TargetNotice::Unfinished("why".into()),
                true,
                "not as desired: why",
            ),
        ];
        for (notice, is_warning, text) in table {
            assert_eq!(notice.is_warning(), is_warning, "{notice:?}");
            assert!(notice.to_string().contains(text), "{notice}");
        }
    }
}
