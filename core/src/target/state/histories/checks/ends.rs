//! The invariants after a long time without events.

use std::collections::BTreeSet;

use super::{Checks, holds};
use crate::arm::ArmId;
use crate::target::state::histories::simulation::Simulation;

impl Checks {
    /// Nothing was in the way for a long time.
    pub(in crate::target::state::histories) fn at_quiet(
        &self,
        simulation: &Simulation,
    ) -> Result<(), String> {
        let azure = &simulation.azure;
        let on: BTreeSet<ArmId> = azure.on.keys().cloned().collect();
        let desired = &simulation.desired.desired;
        let status = self.last_status.clone().unwrap_or_default();
        self.foreign_is_untouched(azure)?;
        if !azure.exists {
            let told = status
                .failures
                .values()
                .all(|failure| failure.cause.reason == "TargetNotFound");
            holds(
                told && status.failures.len() == desired.len(),
                "not told that it is gone",
            )?;
            return holds(
                simulation.stored.0.is_empty(),
                "a record of a target that is gone",
            );
        }
        holds(desired.is_subset(&on), "something desired is not there")?;
        let is_outdated = |id: &&ArmId| azure.on.get(*id) != Some(&azure.client_id(id));
        let mut renewable = self.ours.intersection(desired);
        let outdated = renewable.any(|id| is_outdated(&id) && !self.immutable.contains(id));
        holds(!outdated, "an identity that was made again is not renewed")?;
        let stays = &(desired | &simulation.desired.kept) | &self.immutable;
        holds(
            self.ours.is_subset(&stays),
            "something unwanted is still there",
        )?;
        holds(status.failures.is_empty(), "a failure is still reported")?;
        let present = status.present.unwrap_or_default();
        holds(desired.is_subset(&present), "what is there is not reported")
    }

    /// Nothing was desired for a long time.
    pub(in crate::target::state::histories) fn at_end(
        &self,
        simulation: &Simulation,
    ) -> Result<(), String> {
        let leaked = &self.ours - &self.immutable;
        holds(leaked.is_empty(), "something of ours leaked")?;
        self.foreign_is_untouched(&simulation.azure)?;
        let left = &simulation.stored.0 - &self.immutable;
        holds(left.is_empty(), "something is recorded that is not there")?;
        let at_rest = self
            .last_status
            .as_ref()
            .is_some_and(|status| status.at_rest);
        holds(
            at_rest == simulation.stored.0.is_empty(),
            "at rest without reason, or not at rest",
        )
    }
}
