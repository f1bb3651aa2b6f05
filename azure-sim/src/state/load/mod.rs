//! From the world as somebody wrote it to the state: defaults filled in, names resolved.

mod access;
mod hosts;

use std::time::Instant;

use super::ids::{ACCOUNTS, IDENTITIES, ResourceId, VAULTS, fold, named};
use super::{App, Federated, Group, Identity, State, Store};
use crate::world::{self, Application, Place, World, WorldError};

/// A world that says something impossible.
fn wrong(text: String) -> WorldError {
    WorldError::Inconsistent(text)
}

impl State {
    /// Adds what a world holds, or nothing if any of it is wrong.
    pub(crate) fn merge(&mut self, world: &World) -> Result<(), WorldError> {
        let mut next = self.clone();
        next.add_all(world)?;
        *self = next;
        Ok(())
    }

    fn add_all(&mut self, world: &World) -> Result<(), WorldError> {
        let default = world
            .subscriptions
            .first()
            .ok_or_else(|| wrong("no subscription".into()))?;
        for subscription in &world.subscriptions {
            self.subscriptions
                .entry(fold(subscription))
                .or_insert_with(|| subscription.clone());
        }
        for group in &world.resource_groups {
            let place = Place {
                subscription: group.subscription.clone(),
                resource_group: Some(group.name.clone()),
                location: group.location.clone(),
            };
            self.settle_in(&place, default);
        }
        world
            .applications
            .iter()
            .try_for_each(|a| self.add_app(a))?;
        world
            .identities
            .iter()
            .try_for_each(|i| self.add_identity(i, default))?;
        world
            .scale_sets
            .iter()
            .try_for_each(|s| self.add_scale_set(s, default))?;
        world
            .virtual_machines
            .iter()
            .try_for_each(|m| self.add_machine(m, default))?;
        self.add_stores(world, default)?;
        for issuer in &world.issuers {
            self.issuers.insert(issuer.issuer.clone(), issuer.clone());
        }
        self.audiences.extend(world.resources.iter().cloned());
        for role in &world.role_definitions {
            self.add_definition(role, false);
        }
        world
            .role_assignments
            .iter()
            .try_for_each(|a| self.add_assignment(a, default))
    }

    /// Subscription, group and region of a place; makes those that are not there yet.
    fn settle_in(&mut self, place: &Place, default: &str) -> (String, String, String) {
        let subscription = place.subscription.as_deref().unwrap_or(default).to_owned();
        let group = place
            .resource_group
            .as_deref()
            .unwrap_or(world::DEFAULT_GROUP)
            .to_owned();
        let location = place
            .location
            .clone()
            .unwrap_or_else(|| self.location.clone());
        self.subscriptions
            .entry(fold(&subscription))
            .or_insert_with(|| subscription.clone());
        let key = super::ids::group_key(&subscription, &group);
        self.groups.entry(key).or_insert_with(|| Group {
            subscription: subscription.clone(),
            name: group.clone(),
            location: location.clone(),
        });
        (subscription, group, location)
    }

    fn locate(
        &mut self,
        place: &Place,
        default: &str,
        kind: &'static str,
        name: &str,
    ) -> Result<(ResourceId, String), WorldError> {
        if name.is_empty() || name.contains('/') {
            return Err(wrong(format!(
                "`{name}` is no name for a resource of type {kind}"
            )));
        }
        let (subscription, group, location) = self.settle_in(place, default);
        Ok((ResourceId::new(&subscription, &group, kind, name), location))
    }

    fn add_app(&mut self, app: &Application) -> Result<(), WorldError> {
        if app.name.is_empty() {
            return Err(wrong("an application has no name".into()));
        }
        let made = |kind| named(kind, &app.name);
        let entry = App {
            client_id: app.client_id.clone().unwrap_or_else(|| made("client")),
            object_id: app.object_id.clone().unwrap_or_else(|| made("principal")),
            registered: app.clone(),
        };
        self.apps.insert(fold(&app.name), entry);
        Ok(())
    }

    fn add_identity(
        &mut self,
        identity: &world::Identity,
        default: &str,
    ) -> Result<(), WorldError> {
        let (id, location) = self.locate(&identity.place, default, IDENTITIES, &identity.name)?;
        let before = self.identities.get(&id.key());
        let settled = |given: &Option<String>, had: Option<&String>, kind| {
            given
                .clone()
                .or(had.cloned())
                .unwrap_or_else(|| named(kind, &id.path()))
        };
        let mut federated = before.map(|b| b.federated.clone()).unwrap_or_default();
        federated.extend(identity.federated_credentials.iter().map(|credential| {
            let (credential, born) = (credential.clone(), Instant::now());
            (fold(&credential.name), Federated { credential, born })
        }));
        let entry = Identity {
            client_id: settled(&identity.client_id, before.map(|b| &b.client_id), "client"),
            principal_id: settled(
                &identity.principal_id,
                before.map(|b| &b.principal_id),
                "principal",
            ),
            location,
            tags: identity.tags.clone(),
            isolation_scope: before.map_or_else(|| "None".into(), |b| b.isolation_scope.clone()),
            federated,
            born: before.map_or_else(Instant::now, |b| b.born),
            id,
        };
        self.identities.insert(entry.id.key(), entry);
        Ok(())
    }

    /// An identity by resource id, or by name in the default subscription.
    fn identity_called(&self, reference: &str, default: &str) -> Option<&Identity> {
        self.identities.get(&fold(reference)).or_else(|| {
            self.identities.values().find(|i| {
                i.id.name.eq_ignore_ascii_case(reference)
                    && i.id.subscription.eq_ignore_ascii_case(default)
            })
        })
    }

    fn add_stores(&mut self, world: &World, default: &str) -> Result<(), WorldError> {
        for vault in &world.vaults {
            let (id, location) = self.locate(&vault.place, default, VAULTS, &vault.name)?;
            let store = Store {
                id,
                location,
                content: vault.clone(),
            };
            self.vaults.insert(vault.name.to_lowercase(), store);
        }
        for account in &world.storage_accounts {
            let (id, location) = self.locate(&account.place, default, ACCOUNTS, &account.name)?;
            let store = Store {
                id,
                location,
                content: account.clone(),
            };
            self.accounts.insert(account.name.to_lowercase(), store);
        }
        Ok(())
    }
}
