//! What the tenant knows: identities, applications, and the principals behind them.

use std::collections::BTreeMap;
use std::time::Instant;

use super::State;
use super::ids::ResourceId;
use crate::world::{Application, FederatedCredential};

/// A user-assigned identity.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: ResourceId,
    pub(crate) location: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) client_id: String,
    pub(crate) principal_id: String,
    /// `None` or `Regional`.
    pub(crate) isolation_scope: String,
    /// By folded name.
    pub(crate) federated: BTreeMap<String, Federated>,
    pub(crate) born: Instant,
}

/// A federated credential and when it was last written.
#[derive(Clone, Debug)]
pub(crate) struct Federated {
    pub(crate) credential: FederatedCredential,
    pub(crate) born: Instant,
}

/// An application with its ids settled.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) client_id: String,
    pub(crate) object_id: String,
    pub(crate) registered: Application,
}

/// Somebody who may log in with a client id.
#[derive(Clone, Debug)]
pub(crate) enum Client {
    App(App),
    Identity(Identity),
}

impl Client {
    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::App(app) => &app.client_id,
            Self::Identity(identity) => &identity.client_id,
        }
    }

    pub(crate) fn object_id(&self) -> &str {
        match self {
            Self::App(app) => &app.object_id,
            Self::Identity(identity) => &identity.principal_id,
        }
    }

    /// Federated credentials, with the time they were written where that is known.
    pub(crate) fn federated(&self) -> Vec<(&FederatedCredential, Option<Instant>)> {
        match self {
            Self::App(app) => app
                .registered
                .federated_credentials
                .iter()
                .map(|c| (c, None))
                .collect(),
            Self::Identity(identity) => identity
                .federated
                .values()
                .map(|f| (&f.credential, Some(f.born)))
                .collect(),
        }
    }
}

impl State {
    /// Who logs in with this client id.
    pub(crate) fn client(&self, client_id: &str) -> Option<Client> {
        let app = self
            .apps
            .values()
            .find(|a| a.client_id.eq_ignore_ascii_case(client_id));
        let identity = || {
            self.identities
                .values()
                .find(|i| i.client_id.eq_ignore_ascii_case(client_id))
        };
        match app {
            Some(app) => Some(Client::App(app.clone())),
            None => identity().cloned().map(Client::Identity),
        }
    }

    /// When a principal came to be; `None` for one the directory does not know. Applications and
    /// machines of the world count as known from the start.
    pub(crate) fn principal_born(&self, principal: &str) -> Option<Instant> {
        let same = |id: &str| id.eq_ignore_ascii_case(principal);
        let identity = self
            .identities
            .values()
            .find(|i| same(&i.principal_id))
            .map(|i| i.born);
        let known = self.apps.values().any(|a| same(&a.object_id))
            || self.hosts.values().any(|h| {
                h.block
                    .system
                    .as_ref()
                    .is_some_and(|s| same(&s.principal_id))
            });
        identity.or_else(|| known.then_some(self.born))
    }
}
