//! Sends a call to Azure or to the store, with what is in its way.

use std::time::Duration;

use super::{Call, CallKind, Simulation};
use crate::target::state::histories::azure::error;
use crate::target::state::histories::history::Fault;
use crate::target::state::{TargetAction, TargetEvent, TargetPatch};
use crate::target::{AssignmentRecord, TargetError, TargetErrorClass};

impl Simulation {
    pub(super) fn call(&mut self, action: TargetAction) -> Result<(), String> {
        let fits = |fault: &Fault| match fault {
            Fault::Conflict(_) | Fault::Precondition | Fault::Forbidden => {
                matches!(action, TargetAction::Patch(_))
            }
            Fault::Missing => matches!(action, TargetAction::Read),
            Fault::Throttled(_) => !matches!(action, TargetAction::SaveRecord(_)),
            _ => true,
        };
        let fault = self.faults.pop_front_if(|fault| fits(fault));
        if fault == Some(Fault::CrashBefore) {
            return self.start();
        }
        self.checks.on_call(&action, self.now, &self.desired)?;
        self.send(action, fault)?;
        match fault {
            Some(Fault::CrashAfter) => self.start(),
            _ => Ok(()),
        }
    }

    fn send(&mut self, action: TargetAction, fault: Option<Fault>) -> Result<(), String> {
        if let TargetAction::SaveRecord(record) = action {
            return self.save(record, fault);
        }
        if let Some(error) = self.error_before(fault) {
            let event = match action {
                TargetAction::Read => TargetEvent::Read(Err(error)),
                _ => TargetEvent::Patched(Err(error)),
            };
            self.answer(event);
            return Ok(());
        }
        match action {
            TargetAction::Patch(patch) => self.patch(&patch, fault),
            _ if fault == Some(Fault::Missing) && self.checks.may_miss() => {
                self.answer(TargetEvent::Read(Ok(None)));
                Ok(())
            }
            _ if fault == Some(Fault::AnswerLost) => {
                let lost = error(TargetErrorClass::Transient, "");
                self.answer(TargetEvent::Read(Err(lost)));
                Ok(())
            }
            _ => {
                self.call = Some(Call {
                    ends: self.now + Duration::from_millis(100),
                    kind: CallKind::Read,
                });
                Ok(())
            }
        }
    }

    fn save(&mut self, record: AssignmentRecord, fault: Option<Fault>) -> Result<(), String> {
        let result = match fault {
            Some(Fault::Broken) => Err("the API server is ill".to_owned()),
            _ => {
                self.checks.on_saved(&record, &self.stored, &self.azure)?;
                self.stored = record;
                match fault {
                    Some(Fault::AnswerLost) => Err("no answer".to_owned()),
                    _ => Ok(()),
                }
            }
        };
        self.answer(TargetEvent::Saved(result));
        Ok(())
    }

    fn patch(&mut self, patch: &TargetPatch, fault: Option<Fault>) -> Result<(), String> {
        self.checks
            .on_patch(patch, &self.stored, &self.azure, self.now)?;
        match self.azure.patch(patch, self.now) {
            Err(error) => self.answer(TargetEvent::Patched(Err(error))),
            Ok(_) if fault == Some(Fault::AnswerLost) => {
                let lost = TargetError {
                    refused: false,
                    ..error(TargetErrorClass::Transient, "")
                };
                self.answer(TargetEvent::Patched(Err(lost)));
            }
            Ok(operation) => {
                self.call = Some(Call {
                    ends: self.now + Duration::from_secs(3600),
                    kind: CallKind::Patch(operation),
                });
            }
        }
        Ok(())
    }

    /// What a call meets before Azure looks at it.
    fn error_before(&mut self, fault: Option<Fault>) -> Option<TargetError> {
        use TargetErrorClass::{Conflict, Forbidden, PreconditionFailed, Throttled, Transient};
        if let Some(Fault::Throttled(seconds)) = fault {
            self.throttled_until = Some(self.now + Duration::from_secs(seconds));
        }
        if let Some(until) = self.throttled_until.filter(|until| *until > self.now) {
            let left = until.since_start().saturating_sub(self.now.since_start());
            return Some(TargetError {
                retry_after: Some(left),
                ..error(Throttled, "OperationNotAllowed")
            });
        }
        match fault? {
            Fault::Conflict(seconds) => Some(TargetError {
                retry_after: (seconds > 0).then(|| Duration::from_secs(seconds)),
                ..error(Conflict, "Conflict")
            }),
            Fault::Precondition => Some(error(PreconditionFailed, "PreconditionFailed")),
            Fault::Broken => Some(error(Transient, "InternalServerError")),
            Fault::Forbidden => Some(error(Forbidden, "AuthorizationFailed")),
            _ => None,
        }
    }

    pub(super) fn answer(&mut self, event: TargetEvent) {
        self.call = Some(Call {
            ends: self.now + Duration::from_millis(100),
            kind: CallKind::Answered(event),
        });
    }
}
