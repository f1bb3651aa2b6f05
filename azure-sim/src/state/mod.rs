//! The state of the simulated Azure: one value behind one lock. Services read and change it; HTTP
//! and faults are not its concern.

mod compute;
mod load;
mod principals;
mod summary;

use std::collections::BTreeMap;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::resources::{
    App, Assignment, AsyncOperation, ComputeResource, DataStore, Definition, Group, Identity,
};
use crate::seed::{Issuer, Seed, StorageAccount, Vault};
use crate::tokens::AccessToken;

/// All resources. Maps are keyed by normalized id unless a field says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) tenant: String,
    /// Region of resources whose seed names none.
    pub(crate) location: String,
    pub(crate) started_at: Instant,
    /// Subscription ids as given, by normalized id.
    pub(crate) subscriptions: BTreeMap<String, String>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) identities: BTreeMap<String, Identity>,
    /// VMs and scale sets.
    pub(crate) compute: BTreeMap<String, ComputeResource>,
    /// By operation id. Ended operations stay, so that they can still be polled.
    pub(crate) async_operations: BTreeMap<String, AsyncOperation>,
    /// By name in lower case.
    pub(crate) vaults: BTreeMap<String, DataStore<Vault>>,
    /// By name in lower case.
    pub(crate) accounts: BTreeMap<String, DataStore<StorageAccount>>,
    /// By normalized name.
    pub(crate) apps: BTreeMap<String, App>,
    /// By GUID in lower case.
    pub(crate) definitions: BTreeMap<String, Definition>,
    /// By GUID in lower case: the names of assignments are unique in the tenant.
    pub(crate) assignments: BTreeMap<String, Assignment>,
    /// By issuer, exactly as tokens state it.
    pub(crate) issuers: BTreeMap<String, Issuer>,
    /// Audiences beyond the well-known Azure services.
    pub(crate) audiences: Vec<String>,
    /// Tokens that IMDS caches, by VM, client id and audience.
    pub(crate) imds_tokens: BTreeMap<(String, String, String), AccessToken>,
    random: StdRng,
}

impl State {
    /// The tenant and region of the seed, without any resource.
    fn empty(seed: &Seed, random_seed: u64) -> Self {
        Self {
            tenant: seed.tenant_id.to_lowercase(),
            location: seed.location.clone(),
            started_at: Instant::now(),
            subscriptions: BTreeMap::new(),
            groups: BTreeMap::new(),
            identities: BTreeMap::new(),
            compute: BTreeMap::new(),
            async_operations: BTreeMap::new(),
            vaults: BTreeMap::new(),
            accounts: BTreeMap::new(),
            apps: BTreeMap::new(),
            definitions: BTreeMap::new(),
            assignments: BTreeMap::new(),
            issuers: BTreeMap::new(),
            audiences: Vec::new(),
            imds_tokens: BTreeMap::new(),
            random: StdRng::seed_from_u64(random_seed),
        }
    }

    /// A new random GUID.
    pub(crate) fn random_guid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.random.random())
            .into_uuid()
            .to_string()
    }

    /// A random number of the half-open range `low..high`.
    pub(crate) fn random_between(&mut self, low: f64, high: f64) -> f64 {
        self.random.random_range(low..high)
    }
}
