//! From the world as somebody wrote it to the state: defaults filled in, names resolved.

use std::time::Instant;

use jiff::Timestamp;

use super::access::built_in;
use super::ids::{
    ACCOUNTS, IDENTITIES, MACHINES, ResourceId, SCALE_SETS, VAULTS, fold, last, named,
};
use super::{
    App, Assignment, Attached, Definition, Federated, Group, Host, HostKind, Identity,
    IdentityBlock, State, Store, SystemIdentity,
};
use crate::faults::Outcome;
use crate::world::{
    self, Application, Orchestration, Place, RoleDefinition, VmIdentity, World, WorldError,
};

fn wrong(text: String) -> WorldError {
    WorldError::Inconsistent(text)
}

impl State {
    pub(super) fn add_built_in_roles(&mut self) -> Result<(), WorldError> {
        for role in built_in().map_err(|e| wrong(format!("the built-in roles are damaged: {e}")))? {
            self.add_definition(&role, true);
        }
        Ok(())
    }

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
        for identity in &world.identities {
            self.add_identity(identity, default);
        }
        self.add_hosts(world, default)?;
        self.add_stores(world, default);
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
    ) -> (ResourceId, String) {
        let (subscription, group, location) = self.settle_in(place, default);
        (ResourceId::new(&subscription, &group, kind, name), location)
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

    fn add_identity(&mut self, identity: &world::Identity, default: &str) {
        let (id, location) = self.locate(&identity.place, default, IDENTITIES, &identity.name);
        let before = self.identities.get(&id.key());
        let settled = |given: &Option<String>, had: Option<&String>, kind| {
            given
                .clone()
                .or(had.cloned())
                .unwrap_or_else(|| named(kind, &id.path()))
        };
        let credentials = identity.federated_credentials.iter().map(|credential| {
            let born = Instant::now();
            (
                fold(&credential.name),
                Federated {
                    credential: credential.clone(),
                    born,
                },
            )
        });
        let entry = Identity {
            client_id: settled(&identity.client_id, before.map(|b| &b.client_id), "client"),
            principal_id: settled(
                &identity.principal_id,
                before.map(|b| &b.principal_id),
                "principal",
            ),
            location,
            tags: identity.tags.clone(),
            isolation_scope: "None".into(),
            federated: credentials.collect(),
            born: before.map_or_else(Instant::now, |b| b.born),
            id,
        };
        self.identities.insert(entry.id.key(), entry);
    }

    fn add_hosts(&mut self, world: &World, default: &str) -> Result<(), WorldError> {
        for set in &world.scale_sets {
            let (id, location) = self.locate(&set.place, default, SCALE_SETS, &set.name);
            let mut instances = set.instances.clone();
            for (n, instance) in instances
                .iter_mut()
                .enumerate()
                .filter(|(_, i)| i.id.is_empty())
            {
                instance.id = n.to_string();
            }
            if set.orchestration == Orchestration::Flexible && !instances.is_empty() {
                let name = &set.name;
                return Err(wrong(format!(
                    "the flexible scale set `{name}` has instances; give it virtualMachines"
                )));
            }
            let kind = HostKind::ScaleSet {
                orchestration: set.orchestration,
                instances,
            };
            self.add_host(id, kind, location, &set.tags, &set.identity, default)?;
        }
        for vm in &world.virtual_machines {
            let (id, location) = self.locate(&vm.place, default, MACHINES, &vm.name);
            let scale_set = vm
                .scale_set
                .as_ref()
                .map(|name| ResourceId::new(&id.subscription, &id.group, SCALE_SETS, name).key());
            let known = scale_set
                .as_ref()
                .is_none_or(|s| self.hosts.contains_key(s));
            if !known {
                return Err(wrong(format!(
                    "machine `{}` is in a scale set that is not there",
                    vm.name
                )));
            }
            let computer_name = vm
                .computer_name
                .clone()
                .unwrap_or_else(|| vm.name.to_lowercase());
            let private_ip = vm.private_ip.clone();
            let kind = HostKind::Machine {
                computer_name,
                private_ip,
                scale_set,
            };
            self.add_host(id, kind, location, &vm.tags, &vm.identity, default)?;
        }
        Ok(())
    }

    fn add_host(
        &mut self,
        id: ResourceId,
        kind: HostKind,
        location: String,
        tags: &std::collections::BTreeMap<String, String>,
        identity: &VmIdentity,
        default: &str,
    ) -> Result<(), WorldError> {
        let before = self.hosts.get(&id.key()).cloned();
        let mut block = before.as_ref().map(|b| b.block.clone()).unwrap_or_default();
        self.attach(&mut block, &id, identity, default)?;
        let host = Host {
            unique_id: named("host", &id.path()),
            kind,
            location,
            tags: tags.clone(),
            block,
            version: before.as_ref().map_or(1, |b| b.version + 1),
            running: before.and_then(|b| b.running),
            last: Outcome::Succeeded,
            id,
        };
        self.hosts.insert(host.id.key(), host);
        Ok(())
    }

    fn attach(
        &self,
        block: &mut IdentityBlock,
        host: &ResourceId,
        identity: &VmIdentity,
        default: &str,
    ) -> Result<(), WorldError> {
        if identity.system_assigned && block.system.is_none() {
            block.system = Some(SystemIdentity {
                principal_id: named("principal", &host.path()),
                client_id: named("client", &host.path()),
            });
        }
        for reference in &identity.user_assigned {
            let found = self.identity_called(reference, default).ok_or_else(|| {
                wrong(format!(
                    "`{}` holds the identity `{reference}`, which is not there",
                    host.name
                ))
            })?;
            block.users.insert(found.id.key(), Attached::settled(found));
        }
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

    fn add_stores(&mut self, world: &World, default: &str) {
        for vault in &world.vaults {
            let (id, location) = self.locate(&vault.place, default, VAULTS, &vault.name);
            self.vaults.insert(
                vault.name.to_lowercase(),
                Store {
                    id,
                    location,
                    content: vault.clone(),
                },
            );
        }
        for account in &world.storage_accounts {
            let (id, location) = self.locate(&account.place, default, ACCOUNTS, &account.name);
            let store = Store {
                id,
                location,
                content: account.clone(),
            };
            self.accounts.insert(account.name.to_lowercase(), store);
        }
    }

    fn add_definition(&mut self, role: &RoleDefinition, built_in: bool) {
        let guid = role.id.as_deref().map_or_else(
            || named("role", &role.role_name),
            |id| last(id).to_lowercase(),
        );
        let mut role = role.clone();
        if role.assignable_scopes.is_empty() {
            role.assignable_scopes.push("/".into());
        }
        self.definitions.insert(
            guid.clone(),
            Definition {
                guid,
                built_in,
                role,
            },
        );
    }

    fn add_assignment(
        &mut self,
        given: &world::RoleAssignment,
        default: &str,
    ) -> Result<(), WorldError> {
        let role = self
            .definition(&given.role)
            .ok_or_else(|| wrong(format!("no role is called `{}`", given.role)))?
            .guid
            .clone();
        let principal_id = self.principal_called(&given.principal, default)?;
        let scope = match given.scope.as_str() {
            "" => format!("/subscriptions/{default}"),
            scope => scope.to_owned(),
        };
        let name = given.name.clone().unwrap_or_else(|| {
            named(
                "assignment",
                &format!("{}|{role}|{principal_id}", fold(&scope)),
            )
        });
        let now = Timestamp::now();
        let assignment = Assignment {
            name,
            scope,
            role,
            principal_id,
            description: None,
            created: now,
            updated: now,
            author: None,
            born: Instant::now(),
        };
        self.assignments
            .insert(assignment.name.to_lowercase(), assignment);
        Ok(())
    }

    fn principal_called(&self, reference: &str, default: &str) -> Result<String, WorldError> {
        if let Some(app) = self.apps.get(&fold(reference)) {
            return Ok(app.object_id.clone());
        }
        if let Some(identity) = self.identity_called(reference, default) {
            return Ok(identity.principal_id.clone());
        }
        if uuid::Uuid::parse_str(reference).is_ok() {
            return Ok(reference.to_lowercase());
        }
        let system = self
            .hosts
            .get(&fold(reference))
            .and_then(|h| h.block.system.as_ref());
        system.map(|s| s.principal_id.clone()).ok_or_else(|| {
            wrong(format!("a role is given to `{reference}`, which is neither an application, an identity nor a GUID"))
        })
    }
}

impl Attached {
    /// An identity whose assignment has long been settled.
    fn settled(identity: &Identity) -> Self {
        Self {
            id: identity.id.path(),
            client_id: identity.client_id.clone(),
            principal_id: identity.principal_id.clone(),
            active: true,
            since: Instant::now(),
        }
    }
}
