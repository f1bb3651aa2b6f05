//! Applies a plan to the kernel, and reads back what the kernel has.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use nlink::netlink::nftables::Family;
use nlink::netlink::{Connection, Nftables, Route};
use tokio::sync::Mutex;

use crate::blackhole::Blackhole;
use crate::error::{CONFLICT_RETRIES, RulesError};
use crate::installed::InstalledRules;
use crate::listeners::Listeners;
use crate::node_bridges::BridgeAddresses;
use crate::plan::RulesPlan;
use crate::reply_paths::ReplyPaths;
use crate::source::AllowedSource;
use crate::{TABLE, closed};

/// Pause between two tries of a transaction that others overtook.
const CONFLICT_PAUSE: Duration = Duration::from_millis(5);

/// What the kernel has of a plan after it was applied.
#[derive(Debug, Default)]
pub struct AppliedRules {
    /// Number of changes of the rules that were needed; 0 when the kernel already had all of the plan.
    pub changes: usize,
    /// Number of neighbour, forwarding and routing entries that were removed or written. The kernel itself drops
    /// entries, for instance when a bridge gets another MAC.
    pub entries: usize,
    /// Whether the node's bridges have other addresses than at the call before: then the rules had to
    /// change although nobody else has changed them.
    pub bridges_changed: bool,
    /// The sources whose elements and entries the kernel has, all of them.
    pub installed: BTreeSet<AllowedSource>,
    /// The other sources of the plan, each with the reason.
    pub failed: Vec<(AllowedSource, RulesError)>,
}

/// The kernel's rules.
///
/// **Guarantees.** Each call changes the rules in one transaction: packets meet the old rules or the
/// new ones, nothing else. Tables of others are never touched. Nothing is removed when the value
/// is dropped. Of several daemons only the one that was started last changes anything.
#[async_trait]
pub trait Rules: fmt::Debug + Send + Sync {
    /// What the kernel has now, whichever daemon owns it.
    ///
    /// # Errors
    /// [`RulesError`].
    async fn installed(&self) -> Result<InstalledRules, RulesError>;

    /// Makes this daemon the owner of the rules, with all sources that the kernel has. Returns the
    /// plan that the kernel has then.
    ///
    /// # Errors
    /// [`RulesError`]; then the rules were not changed.
    async fn take_over(
        &self,
        listeners: Listeners,
    ) -> Result<(RulesPlan, AppliedRules), RulesError>;

    /// Changes what differs from `plan`, and leaves the rest alone.
    ///
    /// # Errors
    /// [`RulesError`]; then the rules were not changed.
    async fn converge(&self, plan: &RulesPlan) -> Result<AppliedRules, RulesError>;

    /// Removes all that is podid's. Returns whether there was anything.
    ///
    /// # Errors
    /// [`RulesError`]; what was not removed is removed by the next call.
    async fn remove(&self) -> Result<bool, RulesError>;
}

/// nftables, neighbours and bridges of one network namespace.
pub struct Nft {
    /// Locked for the whole of a read-compare-write.
    kernel: Mutex<Connection<Nftables>>,
    paths: ReplyPaths,
    blackhole: Blackhole,
    /// The addresses of the node's bridges that the rules were made with last.
    bridges: std::sync::Mutex<Option<BridgeAddresses>>,
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
        Self::new(Connection::<Nftables>::new(), Connection::<Route>::new)
    }

    /// The namespace named by a file such as `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn at(namespace: &Path) -> Result<Self, RulesError> {
        Self::new(Connection::new_in(namespace), || {
            Connection::new_in(namespace)
        })
    }

    fn new(
        rules: nlink::Result<Connection<Nftables>>,
        links: impl Fn() -> nlink::Result<Connection<Route>>,
    ) -> Result<Self, RulesError> {
        let open = || RulesError::from_kernel("open a netlink socket");
        Ok(Self {
            kernel: Mutex::new(rules.map_err(open())?),
            paths: ReplyPaths::new(links().map_err(open())?),
            blackhole: Blackhole::new(links().map_err(open())?),
            bridges: std::sync::Mutex::default(),
        })
    }

    /// Keeps pods from the platform until a daemon takes over. Rules of podid that are there stay as they are, because
    /// they do that too. Returns whether anything was added.
    ///
    /// # Errors
    /// [`RulesError`]; then nothing was added.
    pub async fn close(&self) -> Result<bool, RulesError> {
        let kernel = self.kernel.lock().await;
        let added = self.blackhole.write_missing().await;
        let added = added.map_err(RulesError::Blackhole)?;
        if !own_tables(&kernel).await?.is_empty() {
            return Ok(added);
        }
        let shown = || RulesError::from_kernel("show its rules");
        let diff = closed::config().diff(&kernel).await.map_err(shown())?;
        let added = diff.apply(&kernel).await;
        added.map_err(RulesError::from_kernel("install the rules"))?;
        Ok(true)
    }

    /// Makes a plan from what the kernel has and applies it. When another process changes the ruleset
    /// in between, both are done anew.
    async fn transact(
        &self,
        plan: impl Fn(InstalledRules) -> Result<RulesPlan, RulesError> + Send + Sync,
    ) -> Result<(RulesPlan, AppliedRules), RulesError> {
        let kernel = self.kernel.lock().await;
        for _ in 0..=CONFLICT_RETRIES {
            match self.attempt(&kernel, &plan).await? {
                Some(done) => return Ok(done),
                None => tokio::time::sleep(CONFLICT_PAUSE).await,
            }
        }
        Err(RulesError::Overtaken)
    }

    /// One try; `None` when another process changed the ruleset meanwhile.
    async fn attempt(
        &self,
        kernel: &Connection<Nftables>,
        plan: &(impl Fn(InstalledRules) -> Result<RulesPlan, RulesError> + Send + Sync),
    ) -> Result<Option<(RulesPlan, AppliedRules)>, RulesError> {
        let steady = read_unless_overtaken(read_steady(kernel).await)?;
        let Some((generation, installed)) = steady else {
            return Ok(None);
        };
        let plan = plan(installed.clone())?;
        let bridges = self.paths.bridge_addresses().await;
        let bridges = bridges.map_err(RulesError::from_kernel("show its bridges"))?;
        let diff = plan.config(&bridges).diff(kernel).await;
        let Some(diff) = read_unless_overtaken(diff.map(Some))? else {
            return Ok(None);
        };
        let now = kernel.generation().await;
        let same = now.map(|now| (now == generation).then_some(()));
        if read_unless_overtaken(same)?.is_none() {
            return Ok(None);
        }
        let blackhole = self.blackhole.write_missing().await;
        let blackhole = blackhole.map_err(RulesError::Blackhole)?;
        // An entry is removed before the set element that records it, and written after it. If this is
        // interrupted at any point, every entry left still has its element, and so is removed later.
        let removed = self
            .paths
            .remove_unneeded(&installed.sources, &plan.sources);
        let removed = removed.await.map_err(RulesError::Entry)?;
        let applied = diff.apply(kernel).await.map(Some);
        let Some(changes) = unless_overtaken(applied, "install the rules")? else {
            return Ok(None);
        };
        let bridges_changed = self.remember(bridges);
        let paths = self.write_paths(&plan).await?;
        let applied = AppliedRules {
            changes,
            entries: removed + paths.entries + usize::from(blackhole),
            bridges_changed,
            ..paths
        };
        Ok(Some((plan, applied)))
    }

    async fn remove_blackhole(&self) -> Result<bool, RulesError> {
        let removed = self.blackhole.remove().await;
        removed.map_err(RulesError::Blackhole)
    }

    /// Whether these are other addresses than those of the call before.
    fn remember(&self, bridges: BridgeAddresses) -> bool {
        let mut last = self.bridges.lock().unwrap_or_else(PoisonError::into_inner);
        last.replace(bridges.clone())
            .is_some_and(|last| last != bridges)
    }

    /// Writes the entries of all sources of a plan whose rules are in place.
    async fn write_paths(&self, plan: &RulesPlan) -> Result<AppliedRules, RulesError> {
        let written = self.paths.write_missing(&plan.sources).await;
        let (written, failed) = written.map_err(RulesError::Entry)?;
        let mut installed = plan.sources.clone();
        for (source, _) in &failed {
            installed.remove(source);
        }
        let failed = failed
            .into_iter()
            .map(|(source, error)| (source, RulesError::Entry(error)));
        Ok(AppliedRules {
            entries: written,
            installed,
            failed: failed.collect(),
            ..AppliedRules::default()
        })
    }
}

/// The families in which podid has a table.
async fn own_tables(kernel: &Connection<Nftables>) -> Result<Vec<Family>, RulesError> {
    let tables = kernel.list_tables().await;
    let tables = tables.map_err(RulesError::from_kernel("show its rules"))?;
    let ours = tables.iter().filter(|table| table.name == TABLE);
    let families = ours.map(|table| table.family);
    Ok(families
        .filter(|family| matches!(family, Family::Inet | Family::Bridge))
        .collect())
}

/// What the kernel has, and the number of its ruleset's state; `None` when that changed meanwhile.
async fn read_steady(
    kernel: &Connection<Nftables>,
) -> nlink::Result<Option<(u32, InstalledRules)>> {
    let before = kernel.generation().await?;
    let installed = InstalledRules::read(kernel).await?;
    let after = kernel.generation().await?;
    Ok((before == after).then_some((before, installed)))
}

/// `None` when the kernel says that another change of the ruleset came first.
fn unless_overtaken<T>(
    result: nlink::Result<Option<T>>,
    doing: &'static str,
) -> Result<Option<T>, RulesError> {
    match result {
        Err(error) if error.is_restart() || error.is_dump_interrupted() => Ok(None),
        result => result.map_err(RulesError::from_kernel(doing)),
    }
}

/// The same of what is read: a table that was listed may be gone before its contents are asked for.
fn read_unless_overtaken<T>(result: nlink::Result<Option<T>>) -> Result<Option<T>, RulesError> {
    match result {
        Err(error) if error.is_not_found() => Ok(None),
        result => unless_overtaken(result, "show its rules"),
    }
}

#[async_trait]
impl Rules for Nft {
    async fn installed(&self) -> Result<InstalledRules, RulesError> {
        let kernel = self.kernel.lock().await;
        for _ in 0..=CONFLICT_RETRIES {
            let steady = read_unless_overtaken(read_steady(&kernel).await)?;
            match steady {
                Some((_, installed)) => return Ok(installed),
                None => tokio::time::sleep(CONFLICT_PAUSE).await,
            }
        }
        Err(RulesError::Overtaken)
    }

    async fn take_over(
        &self,
        listeners: Listeners,
    ) -> Result<(RulesPlan, AppliedRules), RulesError> {
        self.transact(|installed| {
            Ok(RulesPlan {
                listeners,
                generation: installed.generation.saturating_add(1),
                sources: installed.sources,
            })
        })
        .await
    }

    async fn converge(&self, plan: &RulesPlan) -> Result<AppliedRules, RulesError> {
        let (_, applied) = self
            .transact(|installed| match installed.generation {
                by if by > plan.generation => Err(RulesError::Superseded {
                    by,
                    own: plan.generation,
                }),
                _ => Ok(plan.clone()),
            })
            .await?;
        Ok(applied)
    }

    async fn remove(&self) -> Result<bool, RulesError> {
        let kernel = self.kernel.lock().await;
        let shown = || RulesError::from_kernel("show its rules");
        let installed = InstalledRules::read(&kernel).await.map_err(shown())?;
        let ours = own_tables(&kernel).await?;
        if ours.is_empty() {
            return self.remove_blackhole().await;
        }
        self.paths
            .remove_unneeded(&installed.sources, &BTreeSet::new())
            .await
            .map_err(RulesError::Entry)?;
        ours.iter()
            .fold(kernel.transaction(), |batch, family| {
                batch.del_table(TABLE, *family)
            })
            .commit(&kernel)
            .await
            .map_err(RulesError::from_kernel("remove the rules"))?;
        self.remove_blackhole().await?;
        Ok(true)
    }
}
