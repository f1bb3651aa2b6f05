//! Hands each VM or scale set the identities that are desired on it, and passes on what becomes known of it.

use podid_core::arm::ArmId;
use podid_index::ObjectKey;
use podid_runtime::{BoxError, Drain};
use std::collections::BTreeSet;
use tokio::sync::mpsc;

use super::profiles::ConcernedProfiles;
use super::shared_index::SharedIndex;
use crate::dirty::DirtySet;
use crate::target::{RecordStore, TargetContext, TargetManager, TargetReport};
use podid_core::target::{Target, TargetEvent};

/// See the module.
pub(super) struct Targets {
    manager: TargetManager,
    reports: mpsc::UnboundedReceiver<TargetReport>,
    index: SharedIndex,
    dirty: DirtySet<Target>,
    concerned: ConcernedProfiles,
    recheck: DirtySet<ArmId>,
}

impl Targets {
    /// Targets on which something else is desired come by `dirty`, profiles whose identities are to be looked at by
    /// `concerned`; identities that Azure refused to assign go to `recheck`.
    pub(super) fn new(
        context: TargetContext,
        index: SharedIndex,
        dirty: DirtySet<Target>,
        concerned: ConcernedProfiles,
        recheck: DirtySet<ArmId>,
    ) -> Self {
        let (manager, reports) = TargetManager::new(context);
        Self {
            manager,
            reports,
            index,
            dirty,
            concerned,
            recheck,
        }
    }

    /// Takes up the VMs and scale sets that an earlier run left something on, and those on which
    /// something is desired.
    pub(super) async fn begin(&mut self, records: &dyn RecordStore) -> Result<(), BoxError> {
        let left = records.load().await?;
        tracing::info!(
            targets = left.len(),
            "assignment begins; VMs and scale sets with something of ours"
        );
        for (target, record) in left {
            let desired = self.index.desired(&target);
            let seen = self.index.said_assigned(&target);
            self.manager.start(&target, desired, record, seen);
        }
        let dirty = self.dirty.take();
        self.set_desired(&dirty);
        Ok(())
    }

    /// Runs until `drain`, then lets calls that are under way come to their end.
    pub(super) async fn run(mut self, drain: Drain) -> Result<(), BoxError> {
        loop {
            tokio::select! {
                () = drain.draining() => break,
                targets = self.dirty.next() => self.set_desired(&targets),
                profiles = self.concerned.requested.next() => {
                    profiles.iter().for_each(|profile| self.request(profile));
                }
                profiles = self.concerned.mended.next() => {
                    profiles.iter().for_each(|profile| self.may_be_mended(profile));
                }
                Some(report) = self.reports.recv() => self.on_report(report),
                ended = self.manager.worker_ended() => ended?,
            }
        }
        Ok(self.manager.finish().await?)
    }

    fn set_desired(&mut self, targets: &BTreeSet<Target>) {
        for target in targets {
            let desired = self.index.desired(target);
            let seen = || self.index.said_assigned(target);
            self.manager.set_desired(target, desired, seen);
        }
    }

    fn on_report(&mut self, report: TargetReport) {
        let target = report.target.clone();
        if let Some(change) = self.manager.on_status(report) {
            self.recheck.add(change.refused);
            let status = self.manager.status(&target).cloned();
            self.index.set_status(&target, status, &change.changed);
        }
    }

    /// Has every target compared at once that has the identity of a profile or should, and the
    /// identity tried again where it was refused.
    fn request(&mut self, profile: &ObjectKey) {
        for (target, identity) in self.uses(profile) {
            self.manager.send(&target, TargetEvent::Requested(identity));
        }
    }

    /// Has the identity of a profile tried again at once where it was refused.
    fn may_be_mended(&mut self, profile: &ObjectKey) {
        for (target, identity) in self.uses(profile) {
            let event = TargetEvent::MayBeMended(identity);
            self.manager.send(&target, event);
        }
    }

    /// Every target that has the identity of a profile or should.
    fn uses(&self, profile: &ObjectKey) -> BTreeSet<(Target, ArmId)> {
        let mut uses = self.index.uses_of_profile(profile);
        if let Some(identity) = self.index.recorded(profile) {
            let having = self.manager.targets_with(&identity);
            uses.extend(having.map(|target| (target.clone(), identity.clone())));
        }
        uses
    }
}

#[cfg(test)]
mod tests;
