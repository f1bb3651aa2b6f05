//! What the metadata service is asked for a pod.

use podid_azure::{ImdsIdentity, ImdsTokenRequest};
use podid_core::binding::AzureIdentity;
use podid_core::resolve::Selector;

use super::guard::Asked;

pub(super) fn imds_request(identity: ImdsIdentity, asked: &Asked) -> ImdsTokenRequest {
    ImdsTokenRequest {
        identity,
        resource: asked.resource.clone(),
        headers: asked.headers.clone(),
    }
}

pub(super) fn as_asked(selector: &Selector) -> ImdsIdentity {
    match selector {
        Selector::Only => ImdsIdentity::Unnamed,
        Selector::ClientId(id) => ImdsIdentity::ClientId(id.clone()),
        Selector::ObjectId(id) => ImdsIdentity::ObjectId(id.clone()),
        Selector::ResourceId(id) => ImdsIdentity::ResourceId(id.as_str().to_owned()),
    }
}

pub(super) fn asked_client_id(selector: &Selector) -> &str {
    match selector {
        Selector::ClientId(id) => id,
        _ => "",
    }
}

/// The operator assigned the identity by its resource id, and whoever may write an AzureIdentity
/// chooses its client id freely; so the resource id alone says which identity is meant.
pub(super) fn by_resource_id(identity: &AzureIdentity) -> ImdsIdentity {
    ImdsIdentity::ResourceId(identity.resource_id.as_str().to_owned())
}
