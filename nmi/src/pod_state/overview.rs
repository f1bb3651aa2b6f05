//! What is known about all pods of the node, for `podid-nmi status`. It is put together only when it is asked for.

use std::net::Ipv4Addr;
use std::sync::Arc;

use podid_core::attest::{Attestations, Standing};
use tokio::sync::oneshot;

use crate::pod_context::PodContext;
use crate::pod_index::PodIndex;
use crate::snapshot::Snapshot;

/// A question for the overview; the answer goes to the sender.
pub(crate) type OverviewRequest = oneshot::Sender<Vec<PodOverview>>;

/// One pod.
#[derive(Debug)]
pub(crate) struct PodOverview {
    pub(crate) context: Arc<PodContext>,
    /// By the API server.
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// Whether its requests are answered, as one word.
    pub(crate) state: &'static str,
    /// Why not.
    pub(crate) reason: Option<String>,
}

/// All pods, by namespace and name.
pub(super) fn overview(
    pods: &PodIndex,
    attestations: &Attestations,
    snapshot: &Snapshot,
) -> Vec<PodOverview> {
    let served: Vec<&str> = snapshot.uids().collect();
    let one = |(context, addresses): (&Arc<PodContext>, Vec<Ipv4Addr>)| {
        let uid = context.caller.pod.uid.as_str();
        let (state, reason) = match (context.caller.pod.unserved, served.contains(&uid)) {
            (Some(kind), _) => (kind.reason(), Some(kind.to_string())),
            (None, true) => ("Served", None),
            (None, false) => not_served(context, attestations.standing(uid)),
        };
        PodOverview {
            context: Arc::clone(context),
            addresses,
            state,
            reason,
        }
    };
    let mut all: Vec<PodOverview> = pods.contexts().map(one).collect();
    let name = |one: &PodOverview| {
        let pod = &one.context.caller.pod;
        (pod.namespace.clone(), pod.name.clone())
    };
    all.sort_by_key(name);
    all
}

fn not_served(pod: &PodContext, standing: Standing<'_>) -> (&'static str, Option<String>) {
    let because = |text: &str| Some(text.to_owned());
    match standing {
        _ if pod.caller.completed => ("Completed", because("all its containers have ended")),
        Standing::NothingToAttest => (
            "NoAddress",
            because("the API server has no address of it yet"),
        ),
        Standing::NotChecked => ("Checking", None),
        Standing::Refused(error) => ("NotAttested", Some(error.to_string())),
        Standing::SharedAddress => (
            "NotAttested",
            because("another pod proves the same address"),
        ),
        Standing::Attested => ("Installing", because("its rules are not in place yet")),
    }
}
