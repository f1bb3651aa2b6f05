//! Reads which of podid's admission policies hold.

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::{
    ParamRef, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::{Api, Client};
use podid_core::policy::{InstalledPolicy, PolicyBinding, PolicyState, ShippedPolicy};
use podid_crds::policy_digest;
use podid_runtime::process::chain;

/// The state of a policy; `None` stands for none that is needed. `namespace` is podid's own.
pub(crate) async fn state(
    policy: Option<ShippedPolicy>,
    client: &Client,
    namespace: &str,
) -> PolicyState {
    let Some(policy) = policy else {
        return PolicyState::NotNeeded;
    };
    match installed(policy.name, client, namespace).await {
        Ok(installed) => policy.state(installed.as_ref()),
        Err(error) => PolicyState::NotRead(format!(
            "podid cannot read ValidatingAdmissionPolicy {}: {}",
            policy.name,
            chain(&error)
        )),
    }
}

/// A policy and its binding; `None` where one of the two is not there.
async fn installed(
    name: &str,
    client: &Client,
    namespace: &str,
) -> Result<Option<InstalledPolicy>, kube::Error> {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let Some(policy) = policies.get_opt(name).await? else {
        return Ok(None);
    };
    let binding = bindings.get_opt(name).await?;
    Ok(binding.map(|binding| InstalledPolicy {
        says: policy_digest(&policy.spec.unwrap_or_default(), namespace),
        binding: PolicyBinding {
            policy: binding.spec.policy_name,
            actions: binding.spec.validation_actions,
            is_narrowed: binding.spec.match_resources.is_some()
                || binding.spec.param_ref.as_ref().is_some_and(is_narrowed),
        },
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
