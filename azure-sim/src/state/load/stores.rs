//! Key vaults and storage accounts of a seed.

use crate::ids::{STORAGE_ACCOUNTS, VAULTS};
use crate::resources::DataStore;
use crate::seed::{Seed, SeedError};
use crate::state::State;

impl State {
    pub(super) fn add_stores(&mut self, seed: &Seed, default: &str) -> Result<(), SeedError> {
        for vault in &seed.vaults {
            let (id, location) = self.locate(&vault.place, default, VAULTS, &vault.name)?;
            let store = DataStore {
                id,
                location,
                content: vault.clone(),
            };
            self.vaults.insert(vault.name.to_lowercase(), store);
        }
        for account in &seed.storage_accounts {
            let (id, location) =
                self.locate(&account.place, default, STORAGE_ACCOUNTS, &account.name)?;
            let store = DataStore {
                id,
                location,
                content: account.clone(),
            };
            self.accounts.insert(account.name.to_lowercase(), store);
        }
        Ok(())
    }
}
