//! The directory of the tenant: managed identities and applications.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::ids::ResourceId;
use crate::seed::{Application, FederatedCredential};

/// A user-assigned managed identity.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: ResourceId,
    pub(crate) location: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) client_id: String,
    pub(crate) principal_id: String,
    /// `None` or `Regional`.
    pub(crate) isolation_scope: String,
    /// By normalized name.
    pub(crate) federated: BTreeMap<String, Federated>,
    pub(crate) created_at: Instant,
}

/// A federated credential and when it was last written.
#[derive(Clone, Debug)]
pub(crate) struct Federated {
    pub(crate) credential: FederatedCredential,
    pub(crate) written_at: Instant,
}

/// An application, with the ids that its registration may leave out.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) client_id: String,
    pub(crate) object_id: String,
    pub(crate) registered: Application,
}

/// A principal that can request tokens by its client id.
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

    /// Federated credentials, each with the time of its last write. Those of applications come from
    /// the seed and have no such time.
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
                .map(|f| (&f.credential, Some(f.written_at)))
                .collect(),
        }
    }
}
