//! Making the kernel hold a plan.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use nlink::netlink::nftables::Family;
use nlink::netlink::{Connection, Nftables};
use nlink::reconcile::ReconcileOptions;
use tokio::sync::Mutex;

use crate::TABLE;
use crate::plan::Plan;

/// How often a transaction is tried again when others change the ruleset at the same time, as
/// kube-proxy does in bursts.
const CONFLICT_RETRIES: usize = 20;
const CONFLICT_PAUSE: Duration = Duration::from_millis(5);

/// Why the rules are not as planned.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The process may not.
    #[error(
        "the kernel does not let this process change nftables; it needs CAP_NET_ADMIN in the node's network namespace"
    )]
    NotPermitted(#[source] nlink::Error),
    /// The kernel refused.
    #[error(
        "the kernel refused to {doing}; does it have nf_tables with the families inet and bridge, NAT and conntrack?"
    )]
    Refused {
        /// What was attempted.
        doing: &'static str,
        /// Its answer.
        #[source]
        source: nlink::Error,
    },
}

impl RulesError {
    pub(crate) fn from_kernel(doing: &'static str) -> impl FnOnce(nlink::Error) -> Self {
        move |source| match source.is_permission_denied() {
            true => Self::NotPermitted(source),
            false => Self::Refused { doing, source },
        }
    }
}

/// The kernel's rules.
///
/// **Guarantees.** Each call is one transaction: packets meet the old rules or the new ones,
/// nothing else. Tables of others are never touched. Nothing is taken away when the value is
/// dropped.
#[async_trait]
pub trait Rules: fmt::Debug + Send + Sync {
    /// Makes the kernel hold exactly `plan`; what it holds already is left alone. Returns how many
    /// changes that took: 0 when it held the plan.
    ///
    /// # Errors
    /// [`RulesError`]; then nothing was changed.
    async fn converge(&self, plan: &Plan) -> Result<usize, RulesError>;

    /// Takes away all of podid's tables and says whether there were any.
    ///
    /// # Errors
    /// [`RulesError`]; then nothing was changed.
    async fn remove(&self) -> Result<bool, RulesError>;
}

/// nftables of one network namespace.
pub struct Nft {
    /// Locked for the whole of a read-compare-write.
    kernel: Mutex<Connection<Nftables>>,
}

impl fmt::Debug for Nft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nft")
    }
}

impl Nft {
    /// The namespace this process runs in.
    ///
    /// # Errors
    /// When no netlink socket can be opened.
    pub fn here() -> Result<Self, RulesError> {
        Self::new(Connection::<Nftables>::new())
    }

    /// The namespace named by a file such as `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn at(namespace: &Path) -> Result<Self, RulesError> {
        Self::new(Connection::new_in(namespace))
    }

    fn new(connection: nlink::Result<Connection<Nftables>>) -> Result<Self, RulesError> {
        let kernel = connection.map_err(RulesError::from_kernel("open a netlink socket"))?;
        Ok(Self {
            kernel: Mutex::new(kernel),
        })
    }
}

#[async_trait]
impl Rules for Nft {
    async fn converge(&self, plan: &Plan) -> Result<usize, RulesError> {
        let kernel = self.kernel.lock().await;
        let options = ReconcileOptions::new()
            .with_max_retries(CONFLICT_RETRIES)
            .with_backoff(CONFLICT_PAUSE);
        let report = plan
            .config()
            .apply_reconcile(&kernel, options)
            .await
            .map_err(RulesError::from_kernel("install the rules"))?;
        Ok(report.changes_made)
    }

    async fn remove(&self) -> Result<bool, RulesError> {
        let kernel = self.kernel.lock().await;
        let tables = kernel
            .list_tables()
            .await
            .map_err(RulesError::from_kernel("list its tables"))?;
        let ours: Vec<Family> = tables
            .iter()
            .filter(|table| table.name == TABLE)
            .map(|table| table.family)
            .filter(|family| matches!(family, Family::Inet | Family::Bridge))
            .collect();
        if ours.is_empty() {
            return Ok(false);
        }
        ours.iter()
            .fold(kernel.transaction(), |batch, family| {
                batch.del_table(TABLE, *family)
            })
            .commit(&kernel)
            .await
            .map_err(RulesError::from_kernel("remove the rules"))?;
        Ok(true)
    }
}
