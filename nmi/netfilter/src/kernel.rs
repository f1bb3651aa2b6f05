//! Making the kernel hold a plan.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use nlink::netlink::nftables::Family;
use nlink::netlink::{Connection, Nftables, Route};
use tokio::sync::Mutex;

use crate::TABLE;
use crate::caller::Caller;
use crate::held::Held;
use crate::plan::{Listeners, Plan};
use crate::replies::Replies;

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
    /// The kernel refused an entry that leads answers to a pod.
    #[error(
        "the kernel refused to change a pod's neighbour or bridge forwarding entry; has the pod's link gone away?"
    )]
    Entry(#[source] nlink::Error),
    /// Others changed the ruleset again and again while ours was being changed.
    #[error(
        "other programs keep changing the nftables ruleset; {CONFLICT_RETRIES} tries were overtaken"
    )]
    Overtaken,
    /// Another daemon owns the rules.
    #[error(
        "a daemon that was started later (generation {by}, this one is {own}) owns this node's rules; end one of the two"
    )]
    Succeeded {
        /// Its generation.
        by: u32,
        /// The plan's.
        own: u32,
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

/// What a call has come to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many changes it took; 0 when the kernel held the plan already.
    pub changes: usize,
    /// The callers that the kernel holds with all that belongs to them.
    pub held: BTreeSet<Caller>,
    /// The other callers of the plan, each with the reason.
    pub failed: Vec<(Caller, RulesError)>,
}

/// The kernel's rules.
///
/// **Guarantees.** Each call changes the rules in one transaction: packets meet the old rules or the
/// new ones, nothing else. Tables of others are never touched. Nothing is taken away when the value
/// is dropped. Of several daemons only the one that was started last changes anything.
#[async_trait]
pub trait Rules: fmt::Debug + Send + Sync {
    /// Makes this daemon the owner of the rules, with all callers that the kernel holds. Returns the
    /// plan that the kernel holds then.
    ///
    /// # Errors
    /// [`RulesError`]; then the rules were not changed.
    async fn take_over(&self, listeners: Listeners) -> Result<(Plan, Outcome), RulesError>;

    /// Makes the kernel hold exactly `plan`; what it holds already is left alone.
    ///
    /// # Errors
    /// [`RulesError`]; then the rules were not changed.
    async fn converge(&self, plan: &Plan) -> Result<Outcome, RulesError>;

    /// Takes away all that is podid's and says whether there was anything.
    ///
    /// # Errors
    /// [`RulesError`]; then the rules were not changed.
    async fn remove(&self) -> Result<bool, RulesError>;
}

/// nftables, neighbours and bridges of one network namespace.
pub struct Nft {
    /// Locked for the whole of a read-compare-write.
    kernel: Mutex<Connection<Nftables>>,
    replies: Replies,
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
        Self::new(Connection::<Nftables>::new(), Connection::<Route>::new())
    }

    /// The namespace named by a file such as `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn at(namespace: &Path) -> Result<Self, RulesError> {
        Self::new(Connection::new_in(namespace), Connection::new_in(namespace))
    }

    fn new(
        rules: nlink::Result<Connection<Nftables>>,
        links: nlink::Result<Connection<Route>>,
    ) -> Result<Self, RulesError> {
        let open = || RulesError::from_kernel("open a netlink socket");
        Ok(Self {
            kernel: Mutex::new(rules.map_err(open())?),
            replies: Replies::new(links.map_err(open())?),
        })
    }

    /// Makes a plan of what the kernel holds and carries it out, so that nobody has changed anything
    /// in between.
    async fn transact(
        &self,
        plan: impl Fn(Held) -> Result<Plan, RulesError> + Send + Sync,
    ) -> Result<(Plan, Outcome), RulesError> {
        let kernel = self.kernel.lock().await;
        for _ in 0..=CONFLICT_RETRIES {
            match self.attempt(&kernel, &plan).await? {
                Some(done) => return Ok(done),
                None => tokio::time::sleep(CONFLICT_PAUSE).await,
            }
        }
        Err(RulesError::Overtaken)
    }

    /// One try; `None` when it was overtaken by somebody else's change.
    async fn attempt(
        &self,
        kernel: &Connection<Nftables>,
        plan: &(impl Fn(Held) -> Result<Plan, RulesError> + Send + Sync),
    ) -> Result<Option<(Plan, Outcome)>, RulesError> {
        let Some((before, held)) = settled(steady(kernel).await, "show its rules")? else {
            return Ok(None);
        };
        let plan = plan(held.clone())?;
        let bridges = self.replies.bridge_names().await;
        let bridges = bridges.map_err(RulesError::from_kernel("show its bridges"))?;
        let diff = plan.config(&bridges).diff(kernel).await;
        let Some(diff) = settled(diff.map(Some), "show its rules")? else {
            return Ok(None);
        };
        let same = kernel
            .generation()
            .await
            .map(|now| (now == before).then_some(()));
        if settled(same, "show its rules")?.is_none() {
            return Ok(None);
        }
        // Entries go before the elements that tell of them, and come after: whatever happens in
        // between, no entry is left of which nothing tells.
        let forgotten = self.replies.forget(&held.callers, &plan.callers).await;
        let forgotten = forgotten.map_err(RulesError::Entry)?;
        let Some(changes) = settled(diff.apply(kernel).await.map(Some), "install the rules")?
        else {
            return Ok(None);
        };
        let kept = self.replies.keep(&plan.callers).await;
        let (written, failed) = kept.map_err(RulesError::Entry)?;
        let failed: Vec<(Caller, RulesError)> = failed
            .into_iter()
            .map(|(caller, error)| (caller, RulesError::Entry(error)))
            .collect();
        let mut held = plan.callers.clone();
        held.retain(|caller| failed.iter().all(|(other, _)| other != caller));
        let outcome = Outcome {
            changes: forgotten + changes + written,
            held,
            failed,
        };
        Ok(Some((plan, outcome)))
    }
}

/// What the kernel holds and in which generation of its ruleset; `None` when that changed meanwhile.
async fn steady(kernel: &Connection<Nftables>) -> nlink::Result<Option<(u32, Held)>> {
    let before = kernel.generation().await?;
    let held = Held::read(kernel).await?;
    let after = kernel.generation().await?;
    Ok((before == after).then_some((before, held)))
}

/// `None` when somebody else's change overtook what was done.
fn settled<T>(
    result: nlink::Result<Option<T>>,
    doing: &'static str,
) -> Result<Option<T>, RulesError> {
    match result {
        Err(error) if error.is_restart() || error.is_dump_interrupted() => Ok(None),
        result => result.map_err(RulesError::from_kernel(doing)),
    }
}

#[async_trait]
impl Rules for Nft {
    async fn take_over(&self, listeners: Listeners) -> Result<(Plan, Outcome), RulesError> {
        self.transact(|held| {
            Ok(Plan {
                listeners,
                generation: held.generation.saturating_add(1),
                callers: held.callers,
            })
        })
        .await
    }

    async fn converge(&self, plan: &Plan) -> Result<Outcome, RulesError> {
        let (_, outcome) = self
            .transact(|held| match held.generation {
                by if by > plan.generation => Err(RulesError::Succeeded {
                    by,
                    own: plan.generation,
                }),
                _ => Ok(plan.clone()),
            })
            .await?;
        Ok(outcome)
    }

    async fn remove(&self) -> Result<bool, RulesError> {
        let kernel = self.kernel.lock().await;
        let shown = || RulesError::from_kernel("show its rules");
        let held = Held::read(&kernel).await.map_err(shown())?;
        let tables = kernel.list_tables().await.map_err(shown())?;
        let ours: Vec<Family> = tables
            .iter()
            .filter(|table| table.name == TABLE)
            .map(|table| table.family)
            .filter(|family| matches!(family, Family::Inet | Family::Bridge))
            .collect();
        if ours.is_empty() {
            return Ok(false);
        }
        self.replies
            .forget(&held.callers, &BTreeSet::new())
            .await
            .map_err(RulesError::Entry)?;
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
