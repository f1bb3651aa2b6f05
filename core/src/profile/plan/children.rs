use crate::owner::Owner;
use crate::profile::desired::Desired;
use crate::profile::observed::{
    AzureIdentityFields, BindingFields, Child, ManagedIdentity, Observed,
};
use crate::profile::plan::refusal::PlanRefusal;
use crate::profile::plan::step::Step;

/// Kind of the object through which nodes find an identity.
const AZURE_IDENTITY: &str = "AzureIdentity";
/// Kind of the object that binds pods to an identity.
const BINDING: &str = "AzureIdentityBinding";

/// A refusal for each object of the profile's name that belongs to somebody else.
pub(super) fn refusals(owner: &Owner, observed: &Observed) -> Vec<PlanRefusal> {
    let identity = observed.azure_identity.as_ref();
    let binding = observed.binding.as_ref();
    let identity = identity.and_then(|child| foreign(AZURE_IDENTITY, owner, child));
    let binding = binding.and_then(|child| foreign(BINDING, owner, child));
    identity.into_iter().chain(binding).collect()
}

fn foreign<T>(kind: &'static str, owner: &Owner, child: &Child<T>) -> Option<PlanRefusal> {
    (!child.owned || child.applied_by.is_some()).then(|| PlanRefusal::ForeignChild {
        kind,
        namespace: owner.namespace.clone(),
        name: owner.profile.clone(),
        applied_by: child.applied_by.clone(),
    })
}

/// Steps that make both objects as desired.
pub(super) fn steps(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let (namespace, name) = (&desired.owner.namespace, &desired.owner.profile);
    let found = observed.identity.as_ref();
    let binding = BindingFields {
        identity: name.clone(),
        selector: desired.binding.selector.clone(),
        service_accounts: desired.binding.service_accounts.clone(),
    };
    let child = observed.azure_identity.as_ref();
    let identity_fits = child
        .zip(found)
        .is_some_and(|(child, found)| is_as_desired(&child.object, desired, found));
    let binding_fits = observed
        .binding
        .as_ref()
        .is_some_and(|child| child.object == binding);
    let mut steps = Vec::new();
    if !identity_fits {
        steps.push(Step::ApplyAzureIdentity {
            namespace: namespace.clone(),
            name: name.clone(),
            resource_id: desired.identity.id.clone(),
            client_id: found.map(|found| found.client_id.clone()),
            principal_id: found.map(|found| found.principal_id.clone()),
            net_raw: desired.net_raw,
        });
    }
    if !binding_fits {
        let (namespace, name) = (namespace.clone(), name.clone());
        steps.push(Step::ApplyBinding {
            namespace,
            name,
            binding,
        });
    }
    steps
}

fn is_as_desired(object: &AzureIdentityFields, desired: &Desired, found: &ManagedIdentity) -> bool {
    let principal = object.principal_id.as_ref();
    object.namespaced
        && object.net_raw == desired.net_raw
        && object.resource_id == desired.identity.id
        && object.client_id.eq_ignore_ascii_case(&found.client_id)
        && principal.is_some_and(|id| id.eq_ignore_ascii_case(&found.principal_id))
}
