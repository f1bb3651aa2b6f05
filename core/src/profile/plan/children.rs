use std::collections::BTreeMap;

use crate::arm::ArmId;
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

/// The identities that the profile's AzureIdentity names or has named, and the recorded one: any of them may
/// be on a VM or scale set for the profile's pods.
pub(super) fn named_identities(observed: &Observed) -> BTreeMap<ArmId, String> {
    let recorded = observed.record.identity.iter();
    let recorded = recorded.map(|it| (it.id.clone(), it.client_id.clone()));
    let own = observed.azure_identity.iter().filter(|child| child.owned);
    let own = own.flat_map(|child| {
        let AzureIdentityFields {
            resource_id,
            client_id,
            former,
            ..
        } = child.object.clone();
        former.into_iter().chain([(resource_id, client_id)])
    });
    let named = recorded.chain(own);
    // An object that cannot be read names none.
    named.filter(|(id, _)| !id.as_str().is_empty()).collect()
}

/// The identities that the profile used before, when it now names another.
pub(super) fn former_identities(desired: &Desired, observed: &Observed) -> BTreeMap<ArmId, String> {
    let mut named = named_identities(observed);
    named.remove(&desired.identity.id);
    named
}

/// The step that writes the AzureIdentity.
pub(super) fn apply_azure_identity(
    desired: &Desired,
    observed: &Observed,
    former: BTreeMap<ArmId, String>,
) -> Step {
    let found = observed.identity.as_ref();
    Step::ApplyAzureIdentity {
        namespace: desired.owner.namespace.clone(),
        name: desired.owner.profile.clone(),
        resource_id: desired.identity.id.clone(),
        client_id: found.map(|found| found.client_id.clone()),
        principal_id: found.map(|found| found.principal_id.clone()),
        net_raw: desired.net_raw,
        former,
    }
}

/// Steps that make both objects as desired. The AzureIdentity goes on naming the former identities.
pub(super) fn steps(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let (namespace, name) = (&desired.owner.namespace, &desired.owner.profile);
    let found = observed.identity.as_ref();
    let former = former_identities(desired, observed);
    let binding = BindingFields {
        identity: name.clone(),
        selector: desired.binding.selector.clone(),
        service_accounts: desired.binding.service_accounts.clone(),
    };
    let child = observed.azure_identity.as_ref();
    let identity_fits = child.zip(found).is_some_and(|(child, found)| {
        child.object.former == former && is_as_desired(&child.object, desired, found)
    });
    let binding_fits = observed
        .binding
        .as_ref()
        .is_some_and(|child| child.object == binding);
    let mut steps = Vec::new();
    if !identity_fits {
        steps.push(apply_azure_identity(desired, observed, former));
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
