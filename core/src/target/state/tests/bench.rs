//! A target, its state machine, and a loop that performs its actions.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::target::state::end::MAX_CONFLICTS;
use crate::target::state::histories::azure::{Azure, error};
use crate::target::state::histories::history::Poison;
use crate::target::state::*;
use crate::target::{TargetError, TargetErrorClass, TargetObservation};
use crate::testing::ids;

pub(super) const INTERVAL: Duration = Duration::from_secs(180);
pub(super) const WINDOW: Duration = Duration::from_millis(250);

/// More events than any comparison of these tests takes.
const MOST_EVENTS: u32 = 1_000;

/// What changes are answered where Azure does not look at them.
pub(super) type Answer = Box<dyn Fn() -> TargetError>;

/// A target, its state machine, and a loop that performs every call at once.
pub(super) struct Bench {
    pub(super) azure: Azure,
    pub(super) state: TargetState,
    pub(super) now: Moment,
    /// The end of the last step: when to look again.
    pub(super) wake: Option<Moment>,
    pub(super) generation: u64,
    pub(super) desired: DesiredIdentities,
    pub(super) saved: Vec<BTreeSet<ArmId>>,
    pub(super) patches: Vec<TargetPatch>,
    pub(super) reports: Vec<TargetStatus>,
    pub(super) logged: Vec<TargetNotice>,
    pub(super) reads: usize,
    pub(super) missing: bool,
    pub(super) broken_store: bool,
    pub(super) refusal: Option<Answer>,
    /// What is read after a change says that another one is under way.
    pub(super) stays_changing_after_a_patch: bool,
    /// The next change meets one of somebody else, who puts these on the target.
    pub(super) meets: Option<(TargetErrorClass, Vec<&'static str>)>,
}

impl Bench {
    /// A VM.
    pub(super) fn new(on_target: &[&str], record: &[&str]) -> Self {
        Self::on("virtualMachines", on_target, record)
    }

    pub(super) fn on(kind: &str, on_target: &[&str], record: &[&str]) -> Self {
        let on = ids(on_target).into_iter();
        let azure = Azure {
            exists: true,
            on: on.map(|id| (id, "c0".to_owned())).collect(),
            ..Azure::default()
        };
        let target = Target::parse(&format!(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/{kind}/m"
        ));
        let settings = TargetSettings {
            interval: INTERVAL,
            window: WINDOW,
            immutable: BTreeSet::new(),
        };
        let (target, record) = (target.expect("a target"), AssignmentRecord(ids(record)));
        let now = Moment::default();
        Self {
            azure,
            state: TargetState::new(target, settings, record, 1, now),
            now,
            wake: Some(now + WINDOW),
            generation: 0,
            desired: DesiredIdentities::default(),
            saved: Vec::new(),
            patches: Vec::new(),
            reports: Vec::new(),
            logged: Vec::new(),
            reads: 0,
            missing: false,
            broken_store: false,
            refusal: None,
            stays_changing_after_a_patch: false,
            meets: None,
        }
    }

    pub(super) fn feed(&mut self, event: TargetEvent) {
        let mut next = Some(event);
        let mut events = 0..MOST_EVENTS;
        while let Some(event) = next.take() {
            assert!(events.next().is_some(), "a comparison does not end");
            for action in self.state.step(event, self.now) {
                match action {
                    TargetAction::WakeAt(time) => self.wake = Some(time),
                    TargetAction::Rest => self.wake = None,
                    TargetAction::Report(status) => self.reports.push(status),
                    TargetAction::Log(notice) => self.logged.push(notice),
                    call => next = Some(self.perform(call)),
                }
            }
        }
    }

    pub(super) fn perform(&mut self, call: TargetAction) -> TargetEvent {
        match call {
            TargetAction::Read => {
                self.reads += 1;
                let read = self.azure.read().filter(|_| !self.missing);
                TargetEvent::Read(Ok(read))
            }
            TargetAction::SaveRecord(_) if self.broken_store => {
                TargetEvent::Saved(Err("forbidden".into()))
            }
            TargetAction::SaveRecord(record) => {
                self.saved.push(record.0);
                TargetEvent::Saved(Ok(()))
            }
            TargetAction::Patch(patch) => {
                self.patches.push(patch.clone());
                TargetEvent::Patched(self.patch(&patch))
            }
            other => panic!("{other:?} is no call"),
        }
    }

    pub(super) fn patch(&mut self, patch: &TargetPatch) -> Result<TargetObservation, TargetError> {
        if let Some((class, names)) = self.meets.take() {
            let on = ids(&names).into_iter();
            self.azure.on = on.map(|id| (id, "c0".to_owned())).collect();
            return Err(error(class, "Conflict"));
        }
        if let Some(refusal) = &self.refusal {
            return Err(refusal());
        }
        self.azure.patch(patch, self.now)?;
        match self.azure.end(self.now).and_then(|ended| ended.error) {
            Some(error) => Err(error),
            None => {
                let mut read = self.azure.read().expect("a target");
                if self.stays_changing_after_a_patch {
                    read.provisioning_state = Some("Updating".to_owned());
                }
                Ok(read)
            }
        }
    }

    /// Goes on to when the state machine wants to be woken, and wakes it; conflicts follow at once.
    pub(super) fn wake(&mut self) {
        let wake = self.wake.expect("it is to look again");
        self.now = self.now.max(wake);
        self.feed(TargetEvent::Woke);
        let mut conflicts = 0..MAX_CONFLICTS;
        while matches!(self.state.phase, Phase::AfterConflict) {
            assert!(conflicts.next().is_some(), "conflicts do not end");
            self.now = self.wake.expect("it is to look again");
            self.feed(TargetEvent::Woke);
        }
    }

    /// Desires these, and lets one comparison happen.
    pub(super) fn reconcile(&mut self, names: &[&str]) {
        self.desired.desired = ids(names);
        self.generation += 1;
        self.feed(TargetEvent::Desired(self.generation, self.desired.clone()));
        self.wake();
    }

    pub(super) fn spoil(&mut self, names: &[&str], poison: Poison) {
        let poisoned = ids(names).into_iter().map(|id| (id, poison));
        self.azure.poisoned = poisoned.collect();
    }

    pub(super) fn on_target(&self) -> BTreeSet<ArmId> {
        self.azure.on.keys().cloned().collect()
    }

    pub(super) fn status(&self) -> &TargetStatus {
        self.reports.last().expect("something was reported")
    }

    pub(super) fn failed(&self) -> BTreeSet<ArmId> {
        self.status().failures.keys().cloned().collect()
    }

    /// How long until it looks again.
    pub(super) fn wait(&self) -> Option<Duration> {
        let now = self.now.since_start();
        self.wake.map(|wake| wake.since_start().saturating_sub(now))
    }

    pub(super) fn compares_at_the_interval(&self) -> bool {
        let wait = self.wait();
        wait.is_some_and(|wait| (INTERVAL..=INTERVAL.mul_f64(1.1)).contains(&wait))
    }
}
