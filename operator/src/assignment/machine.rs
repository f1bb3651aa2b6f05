//! One machine: brings its identities to what is desired. Observe, plan, write down, change.

mod parts;
mod renewal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use podid_azure::{
    AzureError, Compute, ComputeIdentity, ComputeTarget, ErrorClass, IdentityId, IdentityPatch,
    ResourceGroupId,
};
use podid_core::arm::ArmId;
use podid_core::target::{AssignmentRecord, TargetPlan, plan_target};
use podid_core::target::{Target, TargetKind};
use tokio::time::{Instant, sleep};

use super::Metrics;
use super::failure::{Failure, failure_of};
use super::ledger::{LedgerError, Ledgers};
use super::quarantine::{Quarantine, with_jitter};
use super::report::Reporter;
use parts::Parts;

/// Azure asks to come back after about this long when two changes collide.
const AFTER_CONFLICT: Duration = Duration::from_secs(2);
/// Collisions in a row after which the machine is left alone for longer.
const MAX_CONFLICTS: u32 = 5;
/// How soon to look again at a machine that somebody is changing.
const WHILE_UPDATING: Duration = Duration::from_secs(10);
/// How long a machine has to be missing before it counts as gone.
const UNTIL_SECOND_LOOK: Duration = Duration::from_secs(10);

/// What is to happen after a machine has been dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, until something else is desired: it carries nothing of ours.
    Rest,
    /// Compare again after the usual interval.
    Compare,
    /// The same, for a machine that something is desired on but Azure does not have.
    Missing,
    /// Look again at this time.
    At(Instant),
}

/// Why a machine could not be dealt with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Azure(#[from] AzureError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A machine and what is known of it.
#[derive(Debug)]
pub(super) struct Machine {
    target: Target,
    address: ComputeTarget,
    compute: Arc<dyn Compute>,
    ledgers: Arc<dyn Ledgers>,
    immutable: Arc<BTreeSet<ArmId>>,
    metrics: Metrics,
    ledger: AssignmentRecord,
    /// Neither put on it nor taken away for now.
    kept: BTreeSet<ArmId>,
    /// The client ids that identities on it should have.
    client_ids: BTreeMap<ArmId, String>,
    /// What is being taken off and put on again.
    renewing: BTreeSet<ArmId>,
    quarantine: Quarantine,
    missed: Option<Instant>,
}

impl Machine {
    pub(super) fn new(
        target: Target,
        compute: Arc<dyn Compute>,
        ledgers: Arc<dyn Ledgers>,
        immutable: Arc<BTreeSet<ArmId>>,
        metrics: Metrics,
        ledger: AssignmentRecord,
    ) -> Self {
        let address = address_of(&target);
        let quarantine = Quarantine::default();
        Self {
            target,
            address,
            compute,
            ledgers,
            immutable,
            metrics,
            ledger,
            kept: BTreeSet::new(),
            client_ids: BTreeMap::new(),
            renewing: BTreeSet::new(),
            quarantine,
            missed: None,
        }
    }

    /// What we put on it.
    pub(super) fn ledger(&self) -> &AssignmentRecord {
        &self.ledger
    }

    /// Why identities are not on it.
    pub(super) fn failures(&self) -> BTreeMap<ArmId, Failure> {
        self.quarantine.failures()
    }

    /// Leaves these where they are, until told otherwise.
    pub(super) fn keep(&mut self, identities: BTreeSet<ArmId>) {
        self.kept = identities;
    }

    /// Has identities count as absent that show another client id than this, until told otherwise.
    pub(super) fn expect(&mut self, client_ids: BTreeMap<ArmId, String>) {
        self.client_ids = client_ids;
    }

    /// Tries an identity again without waiting, if it was refused.
    pub(super) fn hurry(&mut self, identity: &ArmId) {
        self.quarantine.release(identity);
    }

    /// Brings the machine to carry `desired`, telling `reporter` what it carries on the way.
    pub(super) async fn reconcile(
        &mut self,
        desired: &BTreeSet<ArmId>,
        reporter: &mut Reporter,
    ) -> Result<Next, Trouble> {
        let mut conflicts = 0;
        loop {
            match self.attempt(desired, reporter).await {
                Err(Trouble::Azure(error)) if conflicts < MAX_CONFLICTS && is_conflict(&error) => {
                    conflicts += 1;
                    tracing::info!(machine = %self.target, conflicts, "somebody else changes the machine");
                    if error.class() == ErrorClass::Conflict {
                        sleep(with_jitter(error.retry_after().unwrap_or(AFTER_CONFLICT))).await;
                    }
                }
                end => return end,
            }
        }
    }

    async fn attempt(
        &mut self,
        desired: &BTreeSet<ArmId>,
        reporter: &mut Reporter,
    ) -> Result<Next, Trouble> {
        let Some(observed) = self.compute.get_identity(&self.address).await? else {
            return self.vanished(desired, reporter).await;
        };
        self.missed = None;
        let on_machine = self.present(&observed);
        let stays = &*self.immutable | &self.kept;
        let plan = plan_target(desired, &on_machine, &self.ledger, &stays);
        self.quarantine
            .retain(|id| plan.add.contains(id) || plan.remove.contains(id));
        let due = plan.without(&self.quarantine.waiting());
        if observed.is_deleting() {
            reporter.carries(on_machine);
            return Ok(Next::At(Instant::now() + WHILE_UPDATING));
        }
        // Who comes now for what is about to leave has to wait until it is back.
        reporter.carries(&on_machine - &due.remove);
        let after = match due.is_empty() {
            true => observed,
            false => {
                self.record(self.ledger.ahead_of(&due)).await?;
                self.renewing = &self.recreated(&observed) & &due.add;
                let off = TargetPlan {
                    remove: self.renewing.clone(),
                    ..TargetPlan::default()
                };
                let machine = self.apply(observed, &off, reporter).await?;
                let rest = due.without(&self.quarantine.waiting());
                let after = self.apply(machine, &rest, reporter).await?;
                self.renewed(&after);
                after
            }
        };
        self.conclude(desired, &due, &after, reporter).await
    }

    /// Takes stock after all that could be done has been done.
    async fn conclude(
        &mut self,
        desired: &BTreeSet<ArmId>,
        due: &TargetPlan,
        after: &ComputeIdentity,
        reporter: &mut Reporter,
    ) -> Result<Next, Trouble> {
        let on_machine = self.present(after);
        reporter.carries(on_machine.clone());
        let now = Instant::now();
        if is_changing(after) {
            // What is under way may still bring something of ours: the ledger keeps it.
            return Ok(Next::At(now + WHILE_UPDATING));
        }
        self.record(self.ledger.settled(&carried_by(after))).await?;
        let failed = self.quarantine.suspects();
        if !due.without(&failed).add.is_subset(&on_machine) {
            tracing::warn!(machine = %self.target, "Azure confirmed a change that is not to be seen");
            return Ok(Next::At(now + WHILE_UPDATING));
        }
        Ok(match self.quarantine.next_due() {
            Some(due) => Next::At(due),
            None if desired.is_empty() && self.ledger.0.is_empty() => Next::Rest,
            None => Next::Compare,
        })
    }

    /// Carries a plan out, in parts. An identity that spoils its part is found and held back, so
    /// that the others pass.
    async fn apply(
        &mut self,
        mut machine: ComputeIdentity,
        plan: &TargetPlan,
        reporter: &mut Reporter,
    ) -> Result<ComputeIdentity, AzureError> {
        let mut parts = Parts::new(plan, &self.quarantine.suspects());
        while let Some(part) = parts.next() {
            match self.patch(&machine, &part).await {
                Ok(changed) => {
                    machine = changed;
                    let passed = &(&part.add | &part.remove) - &self.renewing;
                    self.quarantine.retain(|id| !passed.contains(id));
                    reporter.carries(&self.present(&machine) - &parts.leaving());
                }
                Err(error) if is_spoilt(&error) => {
                    for identity in parts.isolate(part, &named_by(&error)) {
                        tracing::warn!(
                            machine = %self.target, %identity, error = &error as &dyn std::error::Error,
                            "identity refused; the others go on without it"
                        );
                        let failure = failure_of(&error, Some(&identity));
                        self.quarantine.hold(&identity, failure);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(machine)
    }

    async fn patch(
        &self,
        machine: &ComputeIdentity,
        part: &TargetPlan,
    ) -> Result<ComputeIdentity, AzureError> {
        let patch = IdentityPatch::new(machine, azure_ids(&part.add), azure_ids(&part.remove));
        tracing::info!(machine = %self.target, plan = %part, "changing the identities of a machine");
        let started = Instant::now();
        let result = self
            .compute
            .patch_identity(&self.address, &patch, machine.etag.as_deref())
            .await;
        let took = started.elapsed();
        self.metrics.patched(
            self.target.kind(),
            result.as_ref().err(),
            took.as_secs_f64(),
        );
        if result.is_ok() {
            tracing::info!(machine = %self.target, plan = %part, ?took, "changed");
        }
        result
    }

    /// The machine is gone from Azure, and what we put on it with it. One answer may be wrong, and
    /// what is forgotten then would stay on the machine for ever: a second look has to agree.
    async fn vanished(
        &mut self,
        desired: &BTreeSet<ArmId>,
        reporter: &mut Reporter,
    ) -> Result<Next, Trouble> {
        let sure_from = *self.missed.get_or_insert_with(Instant::now) + UNTIL_SECOND_LOOK;
        if Instant::now() < sure_from {
            return Ok(Next::At(sure_from));
        }
        tracing::info!(machine = %self.target, "no such machine in Azure (any more)");
        self.quarantine = Quarantine::default();
        reporter.carries(BTreeSet::new());
        self.record(AssignmentRecord::default()).await?;
        Ok(if desired.is_empty() {
            Next::Rest
        } else {
            Next::Missing
        })
    }

    async fn record(&mut self, ledger: AssignmentRecord) -> Result<(), LedgerError> {
        if ledger != self.ledger {
            self.ledgers.save(&self.target, &ledger).await?;
            self.ledger = ledger;
        }
        Ok(())
    }
}

/// Whether one of the identities named in a change may have made Azure refuse all of it. The
/// machine could be read, so what Azure finds wrong lies in what was asked; how it says so differs
/// with the cause. Only where it says that the machine itself may not be changed, no other
/// selection of identities will pass.
fn is_spoilt(error: &AzureError) -> bool {
    if !matches!(
        error,
        AzureError::Refused { .. } | AzureError::OperationEnded { .. }
    ) {
        return false;
    }
    match error.code() {
        Some("LinkedAuthorizationFailed" | "FailedIdentityOperation" | "InvalidParameter") => true,
        Some("AuthorizationFailed" | "ScopeLocked") => false,
        // Azure's own refusals have a code; a proxy's page says nothing about identities.
        None => false,
        Some(_) => matches!(
            error.class(),
            ErrorClass::Invalid | ErrorClass::NotFound | ErrorClass::Forbidden
        ),
    }
}

fn is_conflict(error: &AzureError) -> bool {
    matches!(
        error.class(),
        ErrorClass::Conflict | ErrorClass::PreconditionFailed
    )
}

/// Whether Azure has not finished an earlier change.
fn is_changing(machine: &ComputeIdentity) -> bool {
    let ends = ["Succeeded", "Failed", "Canceled"];
    let state = machine.provisioning_state.as_deref();
    state.is_some_and(|state| !ends.iter().any(|end| end.eq_ignore_ascii_case(state)))
}

fn named_by(error: &AzureError) -> BTreeSet<ArmId> {
    error
        .named_identities()
        .iter()
        .map(|id| ArmId::new(id.to_string()))
        .collect()
}

fn carried_by(machine: &ComputeIdentity) -> BTreeSet<ArmId> {
    machine
        .user_assigned
        .iter()
        .map(|id| ArmId::new(id.to_string()))
        .collect()
}

/// In Azure's words. What is planned was read from well-formed ids, so nothing is lost here.
fn azure_ids(ids: &BTreeSet<ArmId>) -> Vec<IdentityId> {
    ids.iter()
        .filter_map(|id| id.as_str().parse().ok())
        .collect()
}

fn address_of(target: &Target) -> ComputeTarget {
    let group = ResourceGroupId::new(target.subscription(), target.resource_group());
    let name = target.name().to_owned();
    match target.kind() {
        TargetKind::Vm => ComputeTarget::Vm { group, name },
        TargetKind::ScaleSet => ComputeTarget::ScaleSet { group, name },
    }
}

#[cfg(test)]
mod tests;
