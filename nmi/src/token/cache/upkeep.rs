//! What happens to tokens while nobody asks for them: they go with their pods, are replaced before they end, and are
//! fetched for a pod that has just come, for what pods of its identity have used before on this node.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use podid_azure::ClientHeaders;
use podid_runtime::wait::sleep_until;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::TokenCache;
use super::key::TokenKey;
use crate::pod_context::PodContext;
use crate::snapshot::{Snapshot, Snapshots};
use crate::token::TokenRequest;

/// How long the source may take for a token for which nobody waits.
const BACKGROUND_WAIT: Duration = Duration::from_secs(20);

impl TokenCache {
    /// Follows the pods of the node until no snapshot can come any more.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub(crate) async fn keep_up(
        self: Arc<Self>,
        mut snapshots: Snapshots,
    ) -> Result<(), Infallible> {
        let mut asking = JoinSet::new();
        loop {
            let due = self.store().next_refresh();
            let due = due.map(|due| self.start + due.since_start());
            tokio::select! {
                changed = snapshots.changed() => if changed.is_err() {
                    return Ok(());
                },
                () = self.changed.notified() => {}
                () = sleep_until(due) => {}
                Some(_ended) = asking.join_next() => {}
            }
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            for (pod, key) in self.check(&snapshot) {
                asking.spawn(Arc::clone(&self).fetch(pod, key));
            }
        }
    }

    /// Drops what is over. Returns the tokens to be fetched now, each with a pod that may have it: those that end soon,
    /// and those that a pod which has just come is likely to ask for.
    fn check(&self, snapshot: &Snapshot) -> Vec<(Arc<PodContext>, Arc<TokenKey>)> {
        let served = snapshot.by_address.values();
        let here: HashMap<&str, &Arc<PodContext>> = served
            .map(|served| (served.pod.caller.pod.uid.as_str(), &served.pod))
            .collect();
        let at = self.read_clocks();
        let mut store = self.store();
        store.remove_ended(at);
        let ahead = store.check_pods(&here);
        self.metrics.tokens_kept.set(store.tokens());
        let due = store.take_due(at.now).into_iter();
        due.chain(ahead)
            .filter_map(|(key, uid)| Some((Arc::clone(here.get(uid.as_str())?), key)))
            .collect()
    }

    async fn fetch(self: Arc<Self>, pod: Arc<PodContext>, key: Arc<TokenKey>) {
        let Some(identity) = key.allowed(&pod) else {
            return self.store().note_failure(&key, self.read_clocks());
        };
        let request = TokenRequest {
            pod: &pod.caller,
            identity: &identity,
            principal: key.principal.as_ref().map(|principal| &principal.chosen),
            resource: &key.resource,
            headers: &ClientHeaders::default(),
            bypass_cache: false,
            in_background: true,
            assigned_since: pod.assigned_since(&identity),
            deadline: Instant::now() + BACKGROUND_WAIT,
        };
        if let Err(error) = self.ask(&request).await {
            let (outcome, reason) = (error.outcome, error.reason);
            tracing::warn!(
                outcome,
                reason,
                identity = identity.full_name(),
                "a token cannot be fetched before it is needed"
            );
        }
    }
}
