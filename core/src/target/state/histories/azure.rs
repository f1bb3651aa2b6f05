//! A small model of Azure: one target, as Azure's contracts describe reads and changes of identities.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::history::Poison;
use crate::arm::ArmId;
use crate::moment::Moment;
use crate::target::state::TargetPatch;
use crate::target::{TargetError, TargetErrorClass, TargetObservation};

/// Azure refuses more identities than this in one change.
const AZURES_LIMIT: usize = 150;

/// What Azure knows.
#[derive(Debug, Default)]
pub(in crate::target::state) struct Azure {
    /// Whether there is a target.
    pub(in crate::target::state) exists: bool,
    pub(in crate::target::state) deleting: bool,
    pub(in crate::target::state) system_assigned: bool,
    /// The identities on the target, with the client ids of when they came.
    pub(in crate::target::state) on: BTreeMap<ArmId, String>,
    pub(in crate::target::state) version: u64,
    /// How often each identity was made again.
    pub(in crate::target::state) made: BTreeMap<ArmId, u32>,
    pub(in crate::target::state) poisoned: BTreeMap<ArmId, Poison>,
    pub(in crate::target::state) slowness: Duration,
    /// The change that is under way.
    pub(in crate::target::state) operation: Option<Operation>,
    pub(in crate::target::state) operations: u64,
}

#[derive(Clone, Debug)]
pub(in crate::target::state) struct Operation {
    pub(in crate::target::state) number: u64,
    pub(in crate::target::state) ends: Moment,
    pub(in crate::target::state) by_us: bool,
    pub(in crate::target::state) add: BTreeSet<ArmId>,
    pub(in crate::target::state) remove: BTreeSet<ArmId>,
    /// How it ends, if not well.
    pub(in crate::target::state) error: Option<TargetError>,
    system_assigned: bool,
    user_assigned: bool,
    version_before: u64,
}

impl Operation {
    /// What is on the target after it.
    fn apply(&self, on: &mut BTreeMap<ArmId, String>, client_id: impl Fn(&ArmId) -> String) {
        if !self.user_assigned {
            // A kind without `UserAssigned` takes away all of them.
            on.clear();
        }
        for id in &self.add {
            on.entry(id.clone()).or_insert_with(|| client_id(id));
        }
        on.retain(|id, _| !self.remove.contains(id) || self.add.contains(id));
    }
}

pub(in crate::target::state) fn error(class: TargetErrorClass, code: &str) -> TargetError {
    TargetError {
        class,
        refused: true,
        code: (!code.is_empty()).then(|| code.to_owned()),
        named: BTreeSet::new(),
        retry_after: None,
        next_step: "see Azure".into(),
        message: format!("{code} {class:?}"),
    }
}

impl Azure {
    pub(in crate::target::state) fn read(&self) -> Option<TargetObservation> {
        let state = match (&self.operation, self.deleting) {
            (_, true) => "Deleting",
            (Some(_), _) => "Updating",
            (None, _) => "Succeeded",
        };
        let shown = self.shown();
        self.exists.then(|| TargetObservation {
            user_assigned: shown.keys().cloned().collect(),
            client_ids: shown,
            system_assigned: self.system_assigned,
            etag: Some(self.version.to_string()),
            provisioning_state: Some(state.to_owned()),
        })
    }

    /// What is read: while a change goes on, what is to be there after it.
    fn shown(&self) -> BTreeMap<ArmId, String> {
        let mut shown = self.on.clone();
        if let Some(operation) = &self.operation {
            operation.apply(&mut shown, |id| self.client_id(id));
        }
        shown
    }

    /// The client id that an identity has now.
    pub(in crate::target::state) fn client_id(&self, id: &ArmId) -> String {
        format!("c{}", self.made.get(id).copied().unwrap_or_default())
    }

    /// Takes a change of ours up, or refuses it.
    pub(in crate::target::state) fn patch(
        &mut self,
        patch: &TargetPatch,
        now: Moment,
    ) -> Result<u64, TargetError> {
        use TargetErrorClass::{Conflict, Invalid, NotFound, PreconditionFailed};
        let (add, remove) = (&patch.plan.add, &patch.plan.remove);
        if !self.exists {
            return Err(error(NotFound, "ResourceNotFound"));
        }
        if patch
            .on
            .etag
            .as_ref()
            .is_some_and(|etag| *etag != self.version.to_string())
        {
            return Err(error(PreconditionFailed, "PreconditionFailed"));
        }
        if self.deleting || self.operation.is_some() {
            return Err(error(Conflict, "Conflict"));
        }
        if add.len() + remove.len() > AZURES_LIMIT {
            return Err(error(Invalid, "FailedIdentityOperation"));
        }
        let refusal = self.refusal(add, remove);
        let ends_badly = |error: &TargetError| error.code.as_deref() == Some("InvalidParameter");
        if let Some(error) = refusal.clone().filter(|error| !ends_badly(error)) {
            return Err(error);
        }
        // The kinds are those of the state that was read, as `IdentityPatch` in `azure` writes them.
        let stays = patch.on.user_assigned.iter().any(|id| !remove.contains(id));
        Ok(self.begin(Operation {
            number: 0,
            version_before: 0,
            ends: now + self.slowness,
            by_us: true,
            add: add.clone(),
            remove: remove.clone(),
            error: refusal,
            system_assigned: patch.on.system_assigned,
            user_assigned: stays || !add.is_empty(),
        }))
    }

    /// A change of somebody else, who reads and changes at once.
    pub(in crate::target::state) fn change(
        &mut self,
        add: BTreeSet<ArmId>,
        remove: BTreeSet<ArmId>,
        ends: Moment,
    ) {
        self.begin(Operation {
            number: 0,
            version_before: 0,
            ends,
            by_us: false,
            add,
            remove,
            error: None,
            system_assigned: self.system_assigned,
            user_assigned: true,
        });
    }

    fn begin(&mut self, operation: Operation) -> u64 {
        self.operations += 1;
        let version_before = std::mem::replace(&mut self.version, 2 * self.operations);
        self.operation = Some(Operation {
            number: self.operations,
            version_before,
            ..operation
        });
        self.operations
    }

    /// Ends the change that is under way, if its time has come.
    pub(in crate::target::state) fn end(&mut self, now: Moment) -> Option<Operation> {
        let operation = self.operation.take_if(|operation| operation.ends <= now)?;
        if operation.error.is_some() || !self.exists {
            // Azure's contracts do not define it; here a change without effect keeps the etag.
            self.version = operation.version_before;
            return Some(operation);
        }
        self.version = 2 * self.operations + 1;
        self.system_assigned = operation.system_assigned;
        let mut on = std::mem::take(&mut self.on);
        operation.apply(&mut on, |id| self.client_id(id));
        self.on = on;
        Some(operation)
    }

    /// Ends the change that is under way without effect, as a newer one was preferred.
    pub(in crate::target::state) fn preempt(&mut self) -> Option<u64> {
        let operation = self.operation.take_if(|operation| operation.by_us)?;
        Some(operation.number)
    }

    pub(in crate::target::state) fn delete(&mut self) {
        let made = std::mem::take(&mut self.made);
        let poisoned = std::mem::take(&mut self.poisoned);
        *self = Self {
            made,
            poisoned,
            slowness: self.slowness,
            version: 2 * self.operations + 2,
            operations: self.operations + 1,
            ..Self::default()
        };
    }

    /// How the change is refused, if one of the identities is bad.
    fn refusal(&self, add: &BTreeSet<ArmId>, remove: &BTreeSet<ArmId>) -> Option<TargetError> {
        use TargetErrorClass::{Forbidden, Invalid, NotFound};
        let bad: Vec<&ArmId> = add
            .iter()
            .filter(|id| self.poisoned.contains_key(*id))
            .collect();
        let first = *bad.first()?;
        let named = |ids: BTreeSet<ArmId>, error| TargetError {
            named: ids,
            ..error
        };
        Some(match self.poisoned.get(first)? {
            Poison::NotAllowed => named(
                bad.into_iter().cloned().collect(),
                error(Forbidden, "LinkedAuthorizationFailed"),
            ),
            Poison::NotAllowedNamingAll => {
                named(add | remove, error(Forbidden, "LinkedAuthorizationFailed"))
            }
            Poison::Deleted => named(
                BTreeSet::from([first.clone()]),
                error(Invalid, "FailedIdentityOperation"),
            ),
            Poison::EndsBadly => error(Invalid, "InvalidParameter"),
            Poison::Policy => error(Forbidden, "RequestDisallowedByPolicy"),
            Poison::NotFound => error(NotFound, "ResourceNotFound"),
            Poison::BadRequest => error(Invalid, "BadRequest"),
        })
    }
}
