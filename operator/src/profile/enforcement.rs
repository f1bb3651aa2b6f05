//! Whether the `NET_RAW` rule that a profile asks for is in force in this cluster.

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::{Api, Client};
use podid_core::condition::{ConditionStatus, SubCondition};
use podid_core::net_raw::NetRaw;

use super::error::Cause;

/// Type of the condition.
const KIND: &str = "EnforcementReady";

/// Name of the policy, and of its binding, for profiles with `netRaw: Enforce`.
const ENFORCE: &str = "podid-net-raw-enforce";

/// Name of the policy, and of its binding, for profiles with `netRaw: Audit`.
const AUDIT: &str = "podid-net-raw-audit";

/// Looks whether the policy is installed and bound.
pub(super) async fn check(net_raw: NetRaw, client: &Client) -> SubCondition {
    let (policy, reason) = match net_raw {
        NetRaw::Enforce => (ENFORCE, "Enforced"),
        NetRaw::Audit => (AUDIT, "Audited"),
        NetRaw::Ignore => {
            return part(
                ConditionStatus::True,
                "Ignored",
                "netRaw is Ignore; pods may keep NET_RAW".to_owned(),
            );
        }
    };
    match is_installed(policy, client).await {
        Ok(true) => part(
            ConditionStatus::True,
            reason,
            format!("policy {policy} holds pods to dropping NET_RAW"),
        ),
        Ok(false) => part(
            ConditionStatus::False,
            "PolicyMissing",
            format!(
                "ValidatingAdmissionPolicy {policy} or its binding is not installed, so nothing \
                 keeps bound pods from holding NET_RAW; install podid's policies, or set \
                 spec.netRaw where the class allows it"
            ),
        ),
        Err(cause) => part(ConditionStatus::Unknown, &cause.reason(), cause.message()),
    }
}

async fn is_installed(policy: &str, client: &Client) -> Result<bool, Cause> {
    let refused = |source| Cause::Cluster {
        what: format!("read ValidatingAdmissionPolicy {policy}"),
        source,
    };
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let there = policies
        .get_metadata_opt(policy)
        .await
        .map_err(refused)?
        .is_some();
    Ok(there
        && bindings
            .get_metadata_opt(policy)
            .await
            .map_err(refused)?
            .is_some())
}

fn part(status: ConditionStatus, reason: &str, message: String) -> SubCondition {
    SubCondition {
        kind: KIND,
        status,
        reason: reason.to_owned(),
        message,
    }
}
