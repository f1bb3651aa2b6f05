//! Reads which of podid's admission policies hold.

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::{
    ParamRef, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::{Api, Client};
use podid_core::policy::{PolicyBinding, PolicyState, ShippedPolicy};
use podid_runtime::process::chain;

/// The state of a policy; `None` stands for none that is needed.
pub(crate) async fn state(policy: Option<ShippedPolicy>, client: &Client) -> PolicyState {
    let Some(policy) = policy else {
        return PolicyState::NotNeeded;
    };
    match binding(policy.name, client).await {
        Ok(binding) => policy.state(binding.as_ref()),
        Err(error) => PolicyState::NotRead(format!(
            "podid cannot read ValidatingAdmissionPolicy {}: {}",
            policy.name,
            chain(&error)
        )),
    }
}

/// The binding of a policy; `None` where one of the two is not there.
async fn binding(policy: &str, client: &Client) -> Result<Option<PolicyBinding>, kube::Error> {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    if policies.get_metadata_opt(policy).await?.is_none() {
        return Ok(None);
    }
    let binding = bindings.get_opt(policy).await?;
    let spec = binding.map(|binding| binding.spec);
    Ok(spec.map(|spec| PolicyBinding {
        policy: spec.policy_name,
        actions: spec.validation_actions,
        is_narrowed: spec.match_resources.is_some()
            || spec.param_ref.as_ref().is_some_and(is_narrowed),
    }))
}

/// Whether a reference leaves parameters out; podid's have an empty selector.
fn is_narrowed(reference: &ParamRef) -> bool {
    let requires = reference.selector.as_ref().is_some_and(|selector| {
        let labels = selector.match_labels.as_ref().map_or(0, BTreeMap::len);
        let expressions = selector.match_expressions.as_ref().map_or(0, Vec::len);
        labels + expressions > 0
    });
    requires || reference.name.is_some() || reference.namespace.is_some()
}
