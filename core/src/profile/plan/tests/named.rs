//! Histories of a profile that names one identity after another and is deleted at last, cut short anywhere:
//! its AzureIdentity names every identity that VMs and scale sets have for its pods, since by that the node
//! daemons keep them from pods with an exception.

use std::collections::BTreeSet;

use super::*;
use crate::profile::reads::former_identities;

/// Azure, the cluster, and what VMs and scale sets have for the profile's pods.
#[derive(Debug, Default)]
struct Model {
    azure: BTreeMap<ArmId, ManagedIdentity>,
    observed: Observed,
    on_targets: BTreeSet<ArmId>,
}

impl Model {
    /// Reads both identities, as the operator does before a plan.
    fn observe(&mut self, wanted: &ArmId) {
        let former = former_identities(&self.observed.record, Some(wanted));
        let shown = former.filter_map(|id| self.azure.get(id).cloned());
        self.observed.former = shown.collect();
        self.observed.identity = self.azure.get(wanted).cloned();
    }

    /// Does at most `at_most` steps; returns whether that were all.
    fn carry_out(&mut self, plan: &Plan, at_most: usize) -> bool {
        for step in plan.steps.iter().take(at_most) {
            match step {
                Step::AwaitUnassigned { id, .. } => {
                    assert!(self.bound() != Some(id), "waits for ever: {plan}");
                    self.on_targets.remove(id);
                }
                Step::DeleteIdentity { id } => {
                    assert!(!self.on_targets.contains(id), "{plan}");
                    self.azure.remove(id);
                }
                _ => {}
            }
            perform(step, &mut self.observed);
            if let Some(identity) = &self.observed.identity {
                self.azure.insert(identity.id.clone(), identity.clone());
            }
            self.on_targets.extend(self.bound().cloned());
            let named = self.named();
            assert!(
                self.on_targets.is_subset(&named),
                "{:?} on targets, {named:?} named after {step} of {plan}",
                self.on_targets
            );
        }
        at_most >= plan.steps.len()
    }

    /// The identity that the profile's pods are given.
    fn bound(&self) -> Option<&ArmId> {
        let child = self.observed.azure_identity.as_ref();
        let bound = child.filter(|_| self.observed.binding.is_some());
        bound.map(|child| &child.object.resource_id)
    }

    /// The identities that node daemons take for the profile's.
    fn named(&self) -> BTreeSet<ArmId> {
        let children = self.observed.azure_identity.iter();
        let objects = children.map(|child| &child.object);
        let named = objects.flat_map(|it| it.former.keys().chain([&it.resource_id]));
        named.cloned().collect()
    }

    fn reconcile(&mut self, profile: &Profile, at_most: usize) {
        let desired = desired(profile);
        self.observe(&desired.identity.id);
        let plan = plan(&desired, &self.observed).expect("a plan");
        let finished = self.carry_out(&plan, at_most);
        let mut progress = PlanProgress::begin(&plan, &self.observed);
        progress.identity = self.observed.identity.clone();
        let record = progress.record(&desired, &self.observed.record, finished);
        self.observed.record.identity = record.identity;
    }

    fn delete(&mut self, profile: &Profile, at_most: usize) {
        let desired = desired(profile);
        self.observe(&desired.identity.id);
        let deletion = Deletion {
            owner: desired.owner,
            policy: profile.deletion_policy,
        };
        let plan = plan_deletion(&deletion, &self.observed);
        self.carry_out(&plan, at_most);
    }
}

fn using(name: usize, adopts: bool, policy: DeletionPolicy) -> Profile {
    Profile {
        identity_name: Some(["one", "two", "three"][name].into()),
        creation_policy: match adopts {
            true => CreationPolicy::CreateOrAdopt,
            false => CreationPolicy::Create,
        },
        deletion_policy: policy,
        ..profile()
    }
}

fn policy() -> impl Strategy<Value = DeletionPolicy> {
    prop::sample::select(vec![DeletionPolicy::Delete, DeletionPolicy::Retain])
}

proptest! {
    #[test]
    fn the_azure_identity_names_what_targets_have_for_the_profile(
        edits in prop::collection::vec((0..3_usize, 0..14_usize), 1..6),
        adopts in any::<bool>(),
        policy in policy(),
        cuts in prop::collection::vec(0..8_usize, 0..3),
    ) {
        let mut model = Model::default();
        if adopts {
            let found = existing(&using(1, true, policy), BTreeMap::new()).identity.expect("there");
            model.azure.insert(found.id.clone(), found);
        }
        for (name, at_most) in &edits {
            let profile = using(*name, adopts, policy);
            model.reconcile(&profile, *at_most);
        }
        let (last, _) = edits.last().expect("an edit");
        let profile = using(*last, adopts, policy);
        model.reconcile(&profile, usize::MAX);
        prop_assert_eq!(model.on_targets.len(), 1, "the former ones are released");
        let wanted = desired(&profile);
        model.observe(&wanted.identity.id);
        prop_assert_eq!(plan(&wanted, &model.observed).expect("a plan").steps, []);
        for at_most in cuts.into_iter().chain([usize::MAX]) {
            model.delete(&profile, at_most);
        }
        prop_assert!(model.on_targets.is_empty() && model.named().is_empty());
    }
}

#[test]
fn an_identity_that_another_profile_uses_too_holds_nothing_up() {
    let adopting = using(0, true, DeletionPolicy::Delete);
    let mut observed = existing(&adopting, BTreeMap::new());
    reconcile(&adopting, &mut observed);
    let wanted = desired(&using(1, true, DeletionPolicy::Delete));
    observed.former.extend(observed.identity.take());
    let deletion = Deletion {
        owner: wanted.owner.clone(),
        policy: DeletionPolicy::Delete,
    };
    let plans = [
        plan(&wanted, &observed).expect("a plan"),
        plan_deletion(&deletion, &observed),
    ];
    for plan in plans {
        let mut waits = plan.steps.iter().filter_map(|step| match step {
            Step::AwaitUnassigned { used_by, .. } => Some(*used_by),
            _ => None,
        });
        assert!(waits.all(|used_by| used_by == UsedBy::Profile), "{plan}");
        assert!(
            plan.to_string().contains("for pods of this profile"),
            "{plan}"
        );
    }
}

#[test]
fn a_step_that_replaces_an_identity_names_the_former_one() {
    let mut observed = Observed::default();
    reconcile(&using(0, false, DeletionPolicy::Delete), &mut observed);
    observed.former.extend(observed.identity.take());
    let wanted = desired(&using(1, false, DeletionPolicy::Delete));
    let plan = plan(&wanted, &observed).expect("a plan").to_string();
    let applied: Vec<&str> = plan
        .lines()
        .filter(|line| line.contains("apply AzureIdentity"))
        .collect();
    assert_eq!(applied.len(), 2, "{plan}");
    assert!(applied[0].ends_with(", formerly for one"), "{plan}");
    assert!(!applied[1].contains("formerly"), "{plan}");
}
