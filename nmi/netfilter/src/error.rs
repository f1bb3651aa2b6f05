//! Why the kernel's rules are not as planned.

/// How often a transaction is tried again when others change the ruleset at the same time, as
/// kube-proxy does in bursts.
pub(crate) const CONFLICT_RETRIES: usize = 20;

/// Why the rules are not as planned.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The process lacks the right.
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
    /// The kernel refused what keeps pods from the metadata service while the rules are not there.
    #[error(
        "the kernel refused the routing rule or the blackhole route that keep pods from the metadata service; does it have IP_MULTIPLE_TABLES?"
    )]
    Blackhole(#[source] nlink::Error),
    /// Others changed the ruleset again and again while ours was being changed.
    #[error(
        "other programs keep changing the nftables ruleset; {CONFLICT_RETRIES} tries were overtaken"
    )]
    Overtaken,
    /// A daemon that was started later owns the rules.
    #[error(
        "a daemon that was started later (generation {by}, this one is {own}) owns this node's rules; end one of the two"
    )]
    Superseded {
        /// Its generation.
        by: u32,
        /// The plan's.
        own: u32,
    },
}

impl RulesError {
    /// Whether the cause is a link that is not there any more, as at the end of every pod.
    #[must_use]
    pub fn is_link_gone(&self) -> bool {
        matches!(self, Self::Entry(error) if error.is_no_device())
    }

    pub(crate) fn from_kernel(doing: &'static str) -> impl FnOnce(nlink::Error) -> Self {
        move |source| match source.is_permission_denied() {
            true => Self::NotPermitted(source),
            false => Self::Refused { doing, source },
        }
    }
}
