//! Where the resources of a seed are.

use crate::ids::{ResourceId, group_key, normalize};
use crate::resources::Group;
use crate::seed::{DEFAULT_GROUP, Place, SeedError};
use crate::state::State;

impl State {
    /// Subscription, group and region of a place. Creates the subscription and the group if they do
    /// not exist yet.
    pub(super) fn resolve_place(
        &mut self,
        place: &Place,
        default: &str,
    ) -> (String, String, String) {
        let subscription = place.subscription.as_deref().unwrap_or(default).to_owned();
        let group = place
            .resource_group
            .as_deref()
            .unwrap_or(DEFAULT_GROUP)
            .to_owned();
        let location = place
            .location
            .clone()
            .unwrap_or_else(|| self.location.clone());
        self.subscriptions
            .entry(normalize(&subscription))
            .or_insert_with(|| subscription.clone());
        let key = group_key(&subscription, &group);
        self.groups.entry(key).or_insert_with(|| Group {
            subscription: subscription.clone(),
            name: group.clone(),
            location: location.clone(),
        });
        (subscription, group, location)
    }

    /// The id and the region of a resource.
    pub(super) fn locate(
        &mut self,
        place: &Place,
        default: &str,
        kind: &'static str,
        name: &str,
    ) -> Result<(ResourceId, String), SeedError> {
        if name.is_empty() || name.contains('/') {
            return Err(SeedError::inconsistent(format!(
                "`{name}` is no name for a resource of type {kind}"
            )));
        }
        let (subscription, group, location) = self.resolve_place(place, default);
        Ok((ResourceId::new(&subscription, &group, kind, name), location))
    }
}
