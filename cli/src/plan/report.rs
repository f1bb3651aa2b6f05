//! Everything that `podid plan` prints.

use std::collections::BTreeMap;

use podid_core::profile::plan::{AzureWrites, azure_writes};
use serde::Serialize;

use super::profile_plan::{Change, ProfilePlan};
use super::words::plural;
use crate::exit::Exit;

/// Most objects of one kind that get a sentence each.
const NAMED: usize = 3;

/// What is printed.
#[derive(Debug, Serialize)]
pub(super) struct PlanReport {
    pub(super) profiles: Vec<ProfilePlan>,
    /// Writes to Azure, by subscription.
    pub(super) azure: BTreeMap<String, WritesReport>,
    /// Objects that are not planned.
    pub(super) ignored: Vec<String>,
    /// What else was left out, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

/// Writes to one subscription.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WritesReport {
    #[serde(flatten)]
    writes: AzureWrites,
    /// Percent of what Azure takes at once, of writes or of deletions, whichever is more.
    percent_of_burst: u32,
    /// How long Azure's limits stretch them at least, in seconds.
    at_least_seconds: f64,
}

impl WritesReport {
    fn new(writes: AzureWrites) -> Self {
        Self {
            writes,
            percent_of_burst: writes.percent_of_burst(),
            at_least_seconds: writes.at_least().as_secs_f64(),
        }
    }

    /// In words, as `4 writes and 0 deletions (2% of what Azure takes at once)`.
    pub(super) fn words(&self) -> String {
        let (puts, deletes) = (self.writes.puts(), self.writes.deletes());
        let wait = match self.at_least_seconds {
            seconds if seconds > 0.0 => format!("; Azure's limits stretch them to {seconds} s"),
            _ => String::new(),
        };
        format!(
            "{puts} {} and {deletes} {} ({}% of what Azure takes at once{wait})",
            plural(puts, "write"),
            plural(deletes, "deletion"),
            self.percent_of_burst
        )
    }
}

impl PlanReport {
    pub(super) fn new(
        profiles: Vec<ProfilePlan>,
        ignored: Vec<String>,
        notes: Vec<String>,
    ) -> Self {
        let writes = azure_writes(profiles.iter().filter_map(ProfilePlan::applied));
        let azure = writes.into_iter();
        Self {
            azure: azure
                .map(|(subscription, writes)| (subscription, WritesReport::new(writes)))
                .collect(),
            profiles,
            ignored,
            notes,
        }
    }

    /// The worst of all profiles.
    pub(super) fn exit(&self) -> Exit {
        if self.profiles.iter().any(ProfilePlan::is_refused) {
            Exit::Violations
        } else if self.profiles.iter().any(ProfilePlan::has_changes) {
            Exit::Changes
        } else {
            Exit::Done
        }
    }

    /// That objects are not planned: one sentence each, or one for many of a kind.
    pub(super) fn ignored_words(&self) -> Vec<String> {
        let kind = |object: &String| object.split(' ').next().unwrap_or_default().to_owned();
        let mut by_kind: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for object in &self.ignored {
            by_kind.entry(kind(object)).or_default().push(object);
        }
        let words = by_kind.into_iter().flat_map(|(kind, objects)| {
            if objects.len() <= NAMED {
                let each = objects.iter();
                return each.map(|it| format!("{it} is not planned")).collect();
            }
            let prefix = format!("{kind} ");
            let names = objects.iter().map(|it| it.trim_start_matches(&prefix));
            let names: Vec<&str> = names.collect();
            let count = objects.len();
            vec![format!(
                "{count} objects of kind {kind} are not planned: {}",
                names.join(", ")
            )]
        });
        words.collect()
    }

    /// The plans that say something, and how many others there are.
    pub(super) fn changed(&self) -> (Vec<&ProfilePlan>, u32) {
        let of_note = |plan: &&ProfilePlan| {
            plan.change != Change::Unchanged || plan.is_refused() || plan.unready.is_some()
        };
        let (changed, others): (Vec<_>, Vec<_>) = self.profiles.iter().partition(of_note);
        (changed, u32::try_from(others.len()).unwrap_or(u32::MAX))
    }
}
