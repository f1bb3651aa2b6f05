//! Announcements of changes that other processes make to podid's rules.

use std::fmt;

use nlink::netlink::nftables::{NftablesEvent, NftablesGroup};
use nlink::netlink::{Connection, Nftables};

use crate::TABLE;
use crate::announcements::until_of_note;
use crate::error::RulesError;

/// Reports that another process has changed podid's tables, with `nft flush ruleset` for instance.
pub struct Monitor {
    kernel: Connection<Nftables>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Monitor")
    }
}

impl Monitor {
    /// Listens in the namespace this process runs in.
    ///
    /// # Errors
    /// When the kernel's announcements cannot be subscribed to.
    pub fn here() -> Result<Self, RulesError> {
        let listen = RulesError::from_kernel;
        let kernel = Connection::<Nftables>::new().map_err(listen("open a netlink socket"))?;
        kernel
            .subscribe(&[NftablesGroup::All])
            .map_err(listen("announce changes of its rules"))?;
        Ok(Self { kernel })
    }

    /// Returns once a transaction of another process has touched podid's tables, or when
    /// announcements may have been lost; look at the rules then. Dropping the future loses no
    /// announcement of a later transaction.
    pub async fn disturbed(&self) {
        // The kernel announces ids of its first process namespace. In any other one our own changes
        // look foreign, are looked at once more, and found to be as planned.
        let own = std::process::id();
        let mut events = self.kernel.events().await;
        let mut touched = false;
        let is_of_others = |event| match event {
            NftablesEvent::NewGen(commit) => {
                std::mem::take(&mut touched) && commit.pid != Some(own)
            }
            other => {
                touched |= table_of(&other) == Some(TABLE);
                false
            }
        };
        until_of_note(&mut events, is_of_others).await;
    }
}

fn table_of(event: &NftablesEvent) -> Option<&str> {
    match event {
        NftablesEvent::NewTable(table) | NftablesEvent::DelTable(table) => Some(&table.name),
        NftablesEvent::NewChain(chain) | NftablesEvent::DelChain(chain) => Some(&chain.table),
        NftablesEvent::NewRule(rule) | NftablesEvent::DelRule(rule) => Some(&rule.table),
        NftablesEvent::NewSet(set) | NftablesEvent::DelSet(set) => Some(&set.table),
        NftablesEvent::NewSetElements(change) | NftablesEvent::DelSetElements(change) => {
            Some(&change.table)
        }
        _ => None,
    }
}
