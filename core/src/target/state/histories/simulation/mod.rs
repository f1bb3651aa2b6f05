//! Runs a history: the state machine under test, the loop that performs its actions, and Azure.

mod call;
mod happen;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::azure::{Azure, error};
use super::checks::Checks;
use super::history::{FOREIGN, Fault, Happening, History, Name};
use crate::arm::ArmId;
use crate::moment::Moment;
use crate::target::state::{TargetAction, TargetEvent, TargetSettings, TargetState};
use crate::target::{
    AssignmentRecord, DesiredIdentities, ManagedTarget, Target, TargetError, TargetErrorClass,
    TargetStatus,
};

const INTERVAL: Duration = Duration::from_secs(180);
pub(super) const WINDOW: Duration = Duration::from_millis(250);
/// An identity of pods, and one of others, that are never taken away.
const IMMUTABLE: [Name; 2] = [5, FOREIGN + 2];
/// Longer than the longest wait (300 s) and the interval after it.
const UNTIL_QUIET: Duration = Duration::from_secs(1200);

pub(super) fn id(name: Name) -> ArmId {
    ArmId::new(format!("/i{name}"))
}

pub(super) fn ids(names: &[Name]) -> BTreeSet<ArmId> {
    names.iter().map(|name| id(*name)).collect()
}

#[derive(Debug)]
pub(super) struct Simulation {
    now: Moment,
    pub(super) azure: Azure,
    /// The record as it is stored.
    pub(super) stored: AssignmentRecord,
    faults: VecDeque<Fault>,
    throttled_until: Option<Moment>,
    changes: VecDeque<Happening>,
    wanted: Vec<Name>,
    kept: Vec<Name>,
    pub(super) desired: DesiredIdentities,
    starts: u64,
    state: TargetState,
    managed: ManagedTarget,
    /// Reports that `managed` gets before the next event.
    reports: Vec<TargetStatus>,
    call: Option<Call>,
    wake: Option<Moment>,
    checks: Checks,
}

/// A call that is under way.
#[derive(Debug)]
struct Call {
    ends: Moment,
    kind: CallKind,
}

#[derive(Debug)]
enum CallKind {
    Answered(TargetEvent),
    Read,
    /// Ends with the operation of this number.
    Patch(u64),
}

fn settings() -> TargetSettings {
    TargetSettings {
        interval: INTERVAL,
        window: WINDOW,
        immutable: ids(&IMMUTABLE),
    }
}

fn new_state(record: &AssignmentRecord, seed: u64, now: Moment) -> TargetState {
    let target = Target::parse(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/p",
    );
    TargetState::new(
        target.expect("a scale set"),
        settings(),
        record.clone(),
        seed,
        now,
    )
}

/// Runs a history to its end; the error names the invariant that did not hold.
pub(super) fn run(history: &History) -> Result<(), String> {
    let mut simulation = Simulation::new(history);
    simulation.start()?;
    for (wait, happening) in &history.steps {
        simulation.run_until(simulation.now + *wait)?;
        simulation.happen(happening.clone())?;
    }
    simulation.calm_down()?;
    simulation.run_until(simulation.now + UNTIL_QUIET)?;
    simulation.checks.at_quiet(&simulation)?;
    simulation.happen(Happening::Desire(Vec::new(), Vec::new()))?;
    simulation.run_until(simulation.now + UNTIL_QUIET)?;
    simulation.checks.at_end(&simulation)
}

impl Simulation {
    fn new(history: &History) -> Self {
        let now = Moment::default();
        let foreign = ids(&[FOREIGN, FOREIGN + 2]);
        let azure = Azure {
            exists: true,
            system_assigned: history.system_assigned,
            on: foreign
                .iter()
                .map(|id| (id.clone(), "c0".to_owned()))
                .collect(),
            ..Azure::default()
        };
        let stored = AssignmentRecord::default();
        let state = new_state(&stored, history.seed, now);
        let desired = DesiredIdentities::default();
        let (managed, _) = ManagedTarget::new(desired.clone(), state.status().clone());
        Self {
            now,
            azure,
            faults: VecDeque::new(),
            throttled_until: None,
            changes: VecDeque::new(),
            wanted: Vec::new(),
            kept: Vec::new(),
            desired,
            starts: history.seed,
            state,
            managed,
            reports: Vec::new(),
            stored,
            call: None,
            wake: None,
            checks: Checks::new(foreign, ids(&IMMUTABLE), history.system_assigned),
        }
    }

    /// Starts the operator from what is stored.
    fn start(&mut self) -> Result<(), String> {
        self.starts = self.starts.wrapping_add(1);
        // As the AzureAssignedIdentities say.
        let there = self.state.status().present.clone().unwrap_or_default();
        self.state = new_state(&self.stored, self.starts, self.now).having(there);
        (self.call, self.wake) = (None, None);
        self.reports.clear();
        let status = self.state.status().clone();
        let (managed, desired) = ManagedTarget::new(self.desired.clone(), status);
        self.managed = managed;
        self.checks.restarted(self.now);
        self.feed(TargetEvent::Woke)?;
        self.feed(desired)
    }

    fn run_until(&mut self, end: Moment) -> Result<(), String> {
        for _ in 0..200_000 {
            let operation = self
                .azure
                .operation
                .as_ref()
                .map(|operation| operation.ends);
            let call = self.call.as_ref().map(|call| call.ends);
            let wake = self.wake.filter(|_| self.call.is_none());
            let foreign = self.changes.front().filter(|_| operation.is_none());
            let foreign = foreign.map(|_| self.now);
            let times = [operation, call, wake, foreign];
            let Some(next) = times
                .into_iter()
                .flatten()
                .min()
                .filter(|next| *next <= end)
            else {
                self.now = end;
                return Ok(());
            };
            self.now = self.now.max(next);
            if operation == Some(next) {
                self.operation_ended();
            } else if foreign == Some(next) {
                self.change_foreign();
            } else if call == Some(next) {
                self.call_ended()?;
            } else {
                self.feed(TargetEvent::Woke)?;
            }
        }
        Err("it never comes to rest".into())
    }

    fn feed(&mut self, event: TargetEvent) -> Result<(), String> {
        for report in std::mem::take(&mut self.reports) {
            let change = self.managed.on_status(report);
            self.checks.on_status(&change, &self.managed)?;
        }
        self.checks.on_event(&event, self.now);
        let actions = self.state.step(event, self.now);
        for action in actions {
            self.perform(action)?;
        }
        self.checks.nothing_is_free(&self.managed, &self.azure)
    }

    fn perform(&mut self, action: TargetAction) -> Result<(), String> {
        let is_call = matches!(
            action,
            TargetAction::Read | TargetAction::SaveRecord(_) | TargetAction::Patch(_)
        );
        if is_call && self.call.is_some() {
            return Err(format!("two calls at once: {action:?}"));
        }
        match action {
            TargetAction::WakeAt(time) => self.waits(Some(time)),
            TargetAction::Rest => self.waits(None),
            TargetAction::Report(status) => {
                self.checks.on_report(&status, &self.stored, &self.azure)?;
                self.reports.push(status);
                Ok(())
            }
            TargetAction::Log(_) => Ok(()),
            call => self.call(call),
        }
    }

    fn waits(&mut self, wake: Option<Moment>) -> Result<(), String> {
        if wake.is_none() && !self.desired.desired.is_empty() {
            return Err("it rests although something is desired".into());
        }
        self.wake = wake;
        self.checks.on_wait(&self.azure, self.now)
    }

    fn call_ended(&mut self) -> Result<(), String> {
        let Some(call) = self.call.take() else {
            return Ok(());
        };
        let event = match call.kind {
            CallKind::Answered(event) => event,
            CallKind::Read => TargetEvent::Read(Ok(self.azure.read())),
            CallKind::Patch(_) => {
                let unfinished = error(TargetErrorClass::Transient, "");
                TargetEvent::Patched(Err(TargetError {
                    refused: false,
                    ..unfinished
                }))
            }
        };
        self.feed(event)
    }

    fn operation_ended(&mut self) {
        let before: BTreeSet<ArmId> = self.azure.on.keys().cloned().collect();
        let Some(operation) = self.azure.end(self.now) else {
            return;
        };
        self.checks.on_operation(&operation, &before, &self.stored);
        let answer = match (operation.error, self.azure.read()) {
            (Some(error), _) => Err(error),
            (None, Some(observed)) => Ok(observed),
            (None, None) => Err(error(TargetErrorClass::NotFound, "ResourceNotFound")),
        };
        self.patch_ends(operation.number, answer);
    }

    /// The change of ours, if it is what the operator waits for, has ended so.
    fn patch_ends(
        &mut self,
        number: u64,
        answer: Result<crate::target::TargetObservation, TargetError>,
    ) {
        let awaited = self.call.as_ref().map(|call| &call.kind);
        if matches!(awaited, Some(CallKind::Patch(awaited)) if *awaited == number) {
            self.answer(TargetEvent::Patched(answer));
        }
    }
}
