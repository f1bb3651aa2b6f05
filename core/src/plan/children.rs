use super::refusal::Refusal;
use super::step::Step;
use crate::desired::{Desired, Owner};
use crate::observed::{BindingObject, Child, IdentityObject, Observed};

/// Kind of the object through which nodes find an identity.
const AZURE_IDENTITY: &str = "AzureIdentity";
/// Kind of the object that binds pods to an identity.
const BINDING: &str = "AzureIdentityBinding";

/// Objects of the profile's name that belong to somebody else.
pub(super) fn refusals(owner: &Owner, observed: &Observed) -> Vec<Refusal> {
    let identity = observed.azure_identity.as_ref();
    let binding = observed.binding.as_ref();
    let identity = identity.and_then(|child| foreign(AZURE_IDENTITY, owner, child));
    let binding = binding.and_then(|child| foreign(BINDING, owner, child));
    identity.into_iter().chain(binding).collect()
}

fn foreign<T>(kind: &'static str, owner: &Owner, child: &Child<T>) -> Option<Refusal> {
    (!child.owned || child.applied_by.is_some()).then(|| Refusal::ForeignChild {
        kind,
        namespace: owner.namespace.clone(),
        name: owner.profile.clone(),
        applied_by: child.applied_by.clone(),
    })
}

/// Steps until both objects say what they should.
pub(super) fn steps(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let (namespace, name) = (&desired.owner.namespace, &desired.owner.profile);
    let client_id = observed
        .identity
        .as_ref()
        .map(|found| found.client_id.clone());
    let binding = BindingObject {
        identity: name.clone(),
        selector: desired.binding.selector.clone(),
        service_accounts: desired.binding.service_accounts.clone(),
    };
    let identity_fits = observed.azure_identity.as_ref().is_some_and(|child| {
        client_id
            .as_ref()
            .is_some_and(|client_id| says(&child.object, desired, client_id))
    });
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
            client_id,
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

fn says(object: &IdentityObject, desired: &Desired, client_id: &str) -> bool {
    object.namespaced
        && object.resource_id == desired.identity.id
        && object.client_id.eq_ignore_ascii_case(client_id)
}
