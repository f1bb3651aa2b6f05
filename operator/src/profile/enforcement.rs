//! Reads whether the `NET_RAW` policy that a profile needs is installed in this cluster.

use podid_core::condition::SubCondition;
use podid_core::net_raw::NetRaw;
use podid_core::policy::for_bound_pods;
use podid_core::profile::pods::policy_condition;

use super::ProfileContext;
use crate::policies;

/// `EnforcementReady` as far as the policy goes.
pub(super) async fn policy(net_raw: NetRaw, context: &ProfileContext) -> SubCondition {
    let policy = for_bound_pods(net_raw);
    let state = policies::state(policy, &context.client, &context.namespace).await;
    policy_condition(net_raw, state)
}
