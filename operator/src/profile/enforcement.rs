//! Reads whether the `NET_RAW` policy that a profile needs is installed in this cluster.

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::{Api, Client};
use podid_core::condition::SubCondition;
use podid_core::net_raw::NetRaw;
use podid_core::profile::ConditionType;
use podid_core::profile::pods::{PolicyState, policy_condition};

use super::error::ErrorCause;

/// `EnforcementReady` as far as the policy goes.
pub(super) async fn policy(net_raw: NetRaw, client: &Client) -> SubCondition {
    let state = match net_raw.policy() {
        Some(policy) => state(policy, client).await,
        None => PolicyState::NotNeeded,
    };
    policy_condition(net_raw, state)
}

async fn state(policy: &'static str, client: &Client) -> PolicyState {
    match is_installed(policy, client).await {
        Ok(true) => PolicyState::Installed(policy),
        Ok(false) => PolicyState::Missing(policy),
        Err(source) => {
            let what = format!("read ValidatingAdmissionPolicy {policy}");
            let error = ErrorCause::ApiServer { what, source };
            let failure = error.at(ConditionType::EnforcementReady).failure();
            PolicyState::NotRead {
                reason: failure.reason().to_owned(),
                message: failure.message,
            }
        }
    }
}

async fn is_installed(policy: &str, client: &Client) -> Result<bool, kube::Error> {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    Ok(policies.get_metadata_opt(policy).await?.is_some()
        && bindings.get_metadata_opt(policy).await?.is_some())
}
