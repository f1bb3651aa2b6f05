//! Applications and identities of a seed.

use std::time::Instant;

use crate::ids::{USER_ASSIGNED_IDENTITIES, normalize, stable_guid};
use crate::resources::{App, Federated, Identity};
use crate::seed::{self, Application, FederatedCredential, SeedError};
use crate::state::State;

impl State {
    pub(super) fn add_app(&mut self, app: &Application) -> Result<(), SeedError> {
        if app.name.is_empty() {
            return Err(SeedError::inconsistent("an application has no name"));
        }
        let derived = |kind| stable_guid(kind, &app.name);
        let entry = App {
            client_id: app.client_id.clone().unwrap_or_else(|| derived("client")),
            object_id: app
                .object_id
                .clone()
                .unwrap_or_else(|| derived("principal")),
            registered: app.clone(),
        };
        self.apps.insert(normalize(&app.name), entry);
        Ok(())
    }

    pub(super) fn add_identity(
        &mut self,
        identity: &seed::Identity,
        default: &str,
    ) -> Result<(), SeedError> {
        let (id, location) = self.locate(
            &identity.place,
            default,
            USER_ASSIGNED_IDENTITIES,
            &identity.name,
        )?;
        let before = self.identities.get(&id.key());
        let guid = |given: &Option<String>, existing: Option<&String>, kind| {
            given
                .clone()
                .or(existing.cloned())
                .unwrap_or_else(|| stable_guid(kind, &id.path()))
        };
        let mut federated = before.map(|b| b.federated.clone()).unwrap_or_default();
        federated.extend(identity.federated_credentials.iter().map(entry));
        let identity = Identity {
            client_id: guid(&identity.client_id, before.map(|b| &b.client_id), "client"),
            principal_id: guid(
                &identity.principal_id,
                before.map(|b| &b.principal_id),
                "principal",
            ),
            location,
            tags: identity.tags.clone(),
            isolation_scope: before.map_or_else(|| "None".into(), |b| b.isolation_scope.clone()),
            federated,
            created_at: before.map_or_else(Instant::now, |b| b.created_at),
            id,
        };
        self.identities.insert(identity.id.key(), identity);
        Ok(())
    }

    /// An identity by its resource id, or by its name in the default subscription.
    pub(super) fn identity_called(&self, reference: &str, default: &str) -> Option<&Identity> {
        self.identities.get(&normalize(reference)).or_else(|| {
            self.identities.values().find(|i| {
                i.id.name.eq_ignore_ascii_case(reference)
                    && i.id.subscription.eq_ignore_ascii_case(default)
            })
        })
    }
}

fn entry(credential: &FederatedCredential) -> (String, Federated) {
    let federated = Federated {
        credential: credential.clone(),
        written_at: Instant::now(),
    };
    (normalize(&credential.name), federated)
}
