//! From a seed to the state: defaults filled in, references resolved.

mod compute;
mod directory;
mod places;
mod roles;
mod stores;

use super::State;
use crate::ids::normalize;
use crate::seed::{Place, Seed, SeedError};

impl State {
    /// The state that a seed describes.
    pub(crate) fn new(seed: &Seed, random_seed: u64) -> Result<Self, SeedError> {
        let mut state = Self::empty(seed, random_seed);
        state.add_built_in_roles()?;
        state.merge(seed)?;
        Ok(state)
    }

    /// Adds the resources of a seed, or nothing if any part of it is wrong.
    pub(crate) fn merge(&mut self, seed: &Seed) -> Result<(), SeedError> {
        let mut next = self.clone();
        next.add_all(seed)?;
        *self = next;
        Ok(())
    }

    /// The order matters: a resource may refer only to those added before it.
    fn add_all(&mut self, seed: &Seed) -> Result<(), SeedError> {
        let default = seed
            .subscriptions
            .first()
            .ok_or_else(|| SeedError::inconsistent("no subscription"))?;
        self.add_containers(seed, default);
        for app in &seed.applications {
            self.add_app(app)?;
        }
        for identity in &seed.identities {
            self.add_identity(identity, default)?;
        }
        for set in &seed.scale_sets {
            self.add_scale_set(set, default)?;
        }
        for vm in &seed.virtual_machines {
            self.add_virtual_machine(vm, default)?;
        }
        self.add_stores(seed, default)?;
        for issuer in &seed.issuers {
            self.issuers.insert(issuer.issuer.clone(), issuer.clone());
        }
        self.audiences.extend(seed.resources.iter().cloned());
        for role in &seed.role_definitions {
            self.add_definition(role, false);
        }
        for assignment in &seed.role_assignments {
            self.add_assignment(assignment, default)?;
        }
        Ok(())
    }

    fn add_containers(&mut self, seed: &Seed, default: &str) {
        for subscription in &seed.subscriptions {
            self.subscriptions
                .entry(normalize(subscription))
                .or_insert_with(|| subscription.clone());
        }
        for group in &seed.resource_groups {
            let place = Place {
                subscription: group.subscription.clone(),
                resource_group: Some(group.name.clone()),
                location: group.location.clone(),
            };
            self.resolve_place(&place, default);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_in_the_readme_can_be_loaded() {
        let readme = include_str!("../../../README.md");
        let text = readme
            .split("```yaml")
            .nth(1)
            .and_then(|t| t.split("```").next())
            .unwrap();
        let seed = Seed::parse(text, "README.md").unwrap();
        State::new(&seed, 1).unwrap();
        assert_eq!(seed.issuers.len(), 1);
    }
}
