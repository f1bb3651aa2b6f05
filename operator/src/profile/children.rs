//! The objects a profile owns: one AzureIdentity and one AzureIdentityBinding of its name.

use std::fmt::Debug;

use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource, ResourceExt};
use podid_core::arm::ArmId;
use podid_core::names;
use podid_core::owner;
use podid_core::profile::observed::{AzureIdentityFields, BindingFields, Child};
use podid_crds::aadpodidentity::{
    AzureIdentity, AzureIdentityBinding, BEHAVIOR_ANNOTATION, BEHAVIOR_NAMESPACED,
};
use podid_crds::convert::{
    self, FORMER_IDENTITIES_ANNOTATION, NET_RAW_ANNOTATION, PRINCIPAL_ID_ANNOTATION,
    SERVICE_ACCOUNTS_ANNOTATION,
};
use podid_crds::podid::PodIdentityProfile;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::ErrorCause;
use crate::{FIELD_MANAGER, MANAGED_BY};

/// Label with the profile that an object belongs to.
const PROFILE_LABEL: &str = "podid.dev/profile";
/// Whose labels `…/name` and `…/namespace` say that a GitOps object applies an object.
const APPLIERS: [(&str, &str); 2] = [
    ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    ("helm.toolkit.fluxcd.io", "HelmRelease"),
];

/// What is there under the profile's name.
#[derive(Debug)]
pub(super) struct Children {
    pub(super) azure_identity: Option<Child<AzureIdentityFields>>,
    pub(super) binding: Option<Child<BindingFields>>,
}

/// The objects of both kinds, as they were last watched.
#[derive(Clone, Debug)]
pub struct ChildStores {
    /// Every AzureIdentity.
    pub azure_identities: Store<AzureIdentity>,
    /// Every AzureIdentityBinding.
    pub bindings: Store<AzureIdentityBinding>,
}

/// Both objects as they were last watched.
pub(super) fn watched(profile: &PodIdentityProfile, stores: &ChildStores) -> Children {
    let (name, namespace) = (profile.name_any(), profile.namespace().unwrap_or_default());
    let azure_identity = ObjectRef::new(&name).within(&namespace);
    let binding = ObjectRef::new(&name).within(&namespace);
    let azure_identity = stores.azure_identities.get(&azure_identity);
    let binding = stores.bindings.get(&binding);
    let (azure_identity, binding) = (azure_identity.as_deref(), binding.as_deref());
    Children {
        azure_identity: azure_identity
            .map(|object| child(profile, object, Some(object), azure_identity_fields)),
        binding: binding.map(|object| child(profile, object, Some(object), binding_fields)),
    }
}

/// Reads both objects.
pub(super) async fn observe(
    profile: &PodIdentityProfile,
    client: &Client,
) -> Result<Children, ErrorCause> {
    let azure_identity = read::<AzureIdentity>(profile, client).await?;
    let binding = read::<AzureIdentityBinding>(profile, client).await?;
    Ok(Children {
        azure_identity: azure_identity.map(|object| {
            child(
                profile,
                &object,
                object.0.as_ref().ok(),
                azure_identity_fields,
            )
        }),
        binding: binding
            .map(|object| child(profile, &object, object.0.as_ref().ok(), binding_fields)),
    })
}

/// Writes the AzureIdentity as a whole.
pub(super) async fn apply_azure_identity(
    profile: &PodIdentityProfile,
    client: &Client,
    identity: &AzureIdentityFields,
) -> Result<(), ErrorCause> {
    let mut annotations = json!({
        BEHAVIOR_ANNOTATION: identity.namespaced.then_some(BEHAVIOR_NAMESPACED),
        NET_RAW_ANNOTATION: identity.net_raw,
        PRINCIPAL_ID_ANNOTATION: identity.principal_id,
        FORMER_IDENTITIES_ANNOTATION: convert::write_former_identities(&identity.former),
    });
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.retain(|_, value| !value.is_null());
    }
    let spec = json!({
        "type": 0, "resourceID": identity.resource_id, "clientID": identity.client_id,
    });
    apply::<AzureIdentity>(profile, client, &annotations, &spec).await
}

/// Writes the AzureIdentityBinding as a whole.
pub(super) async fn apply_binding(
    profile: &PodIdentityProfile,
    client: &Client,
    binding: &BindingFields,
) -> Result<(), ErrorCause> {
    let accounts: Vec<&str> = binding
        .service_accounts
        .iter()
        .map(String::as_str)
        .collect();
    let annotations = match accounts.is_empty() {
        true => json!({}),
        false => json!({ SERVICE_ACCOUNTS_ANNOTATION: accounts.join(",") }),
    };
    let spec = json!({ "azureIdentity": binding.identity, "selector": binding.selector });
    apply::<AzureIdentityBinding>(profile, client, &annotations, &spec).await
}

/// Deletes the AzureIdentity, if it is the profile's.
pub(super) async fn delete_azure_identity(
    profile: &PodIdentityProfile,
    client: &Client,
) -> Result<(), ErrorCause> {
    delete::<AzureIdentity>(profile, client).await
}

/// Deletes the AzureIdentityBinding, if it is the profile's.
pub(super) async fn delete_binding(
    profile: &PodIdentityProfile,
    client: &Client,
) -> Result<(), ErrorCause> {
    delete::<AzureIdentityBinding>(profile, client).await
}

/// A kind that profiles own.
trait Owned:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}

impl Owned for AzureIdentity {}
impl Owned for AzureIdentityBinding {}

fn api<K: Owned>(profile: &PodIdentityProfile, client: &Client) -> Api<DeserializeGuard<K>> {
    Api::namespaced(client.clone(), &profile.namespace().unwrap_or_default())
}

fn refused<K: Owned>(
    verb: &'static str,
    profile: &PodIdentityProfile,
) -> impl Fn(kube::Error) -> ErrorCause {
    let (kind, namespace, name) = (K::kind(&()), profile.namespace(), profile.name_any());
    let what = format!("{verb} {kind} {}/{name}", namespace.unwrap_or_default());
    move |source| ErrorCause::ApiServer {
        what: what.clone(),
        source,
    }
}

async fn read<K: Owned>(
    profile: &PodIdentityProfile,
    client: &Client,
) -> Result<Option<DeserializeGuard<K>>, ErrorCause> {
    let found = api::<K>(profile, client).get_opt(&profile.name_any()).await;
    found.map_err(refused::<K>("read", profile))
}

/// An object that cannot be read as its kind counts as different from every desired one.
fn child<K: Owned, T>(
    profile: &PodIdentityProfile,
    object: &impl Resource,
    read: Option<&K>,
    says: impl Fn(Option<&K>) -> T,
) -> Child<T> {
    Child {
        owned: is_owned(profile, object),
        applied_by: applied_by(object),
        object: says(read),
    }
}

/// What a profile of this name has left behind is taken over, or removed, by the next.
fn is_owned(profile: &PodIdentityProfile, object: &impl Resource) -> bool {
    convert::is_left_behind(object)
        || owner::is_controlled_by(profile.uid().as_deref(), convert::controllers(object))
}

fn applied_by(object: &impl Resource) -> Option<String> {
    let labels = object.meta().labels.as_ref()?;
    APPLIERS.iter().find_map(|(prefix, kind)| {
        let name = labels.get(&format!("{prefix}/name"))?;
        let namespace = labels
            .get(&format!("{prefix}/namespace"))
            .map_or("", String::as_str);
        Some(format!("{kind} {namespace}/{name}"))
    })
}

fn azure_identity_fields(object: Option<&AzureIdentity>) -> AzureIdentityFields {
    let identity = object.and_then(convert::identity);
    AzureIdentityFields {
        resource_id: identity
            .as_ref()
            .map_or_else(|| ArmId::new(""), |i| i.resource_id.clone()),
        client_id: identity
            .as_ref()
            .map(|i| i.client_id.clone())
            .unwrap_or_default(),
        principal_id: identity.as_ref().and_then(|i| i.principal_id.clone()),
        net_raw: identity.as_ref().map(|i| i.net_raw).unwrap_or_default(),
        namespaced: identity.is_some_and(|i| i.namespaced),
        former: object.map(convert::former_identities).unwrap_or_default(),
    }
}

fn binding_fields(object: Option<&AzureIdentityBinding>) -> BindingFields {
    let binding = object.and_then(convert::binding);
    BindingFields {
        identity: binding
            .as_ref()
            .map(|b| b.identity.clone())
            .unwrap_or_default(),
        selector: binding
            .as_ref()
            .map(|b| b.selector.clone())
            .unwrap_or_default(),
        service_accounts: binding.map(|b| b.service_accounts).unwrap_or_default(),
    }
}

async fn apply<K: Owned>(
    profile: &PodIdentityProfile,
    client: &Client,
    annotations: &Value,
    spec: &Value,
) -> Result<(), ErrorCause> {
    let name = profile.name_any();
    let object = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {
            "name": name,
            "namespace": profile.namespace(),
            "labels": {
                MANAGED_BY: FIELD_MANAGER,
                PROFILE_LABEL: names::label_value(&name),
            },
            "annotations": annotations,
            "ownerReferences": [profile.controller_owner_ref(&())],
        },
        "spec": spec,
    });
    // Force wins our fields back from whoever edited them; the plan has made sure that the object
    // is the profile's own, or is not there.
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let applied = api::<K>(profile, client)
        .patch(&name, &params, &Patch::Apply(&object))
        .await;
    applied.map(drop).map_err(refused::<K>("apply", profile))
}

async fn delete<K: Owned>(profile: &PodIdentityProfile, client: &Client) -> Result<(), ErrorCause> {
    let (api, name) = (api::<K>(profile, client), profile.name_any());
    let refused = refused::<K>("delete", profile);
    let Some(found) = api.get_opt(&name).await.map_err(&refused)? else {
        return Ok(());
    };
    if !is_owned(profile, &found) {
        return Ok(());
    }
    // By uid: never one that somebody else has made under the same name since.
    let uid = found.meta().uid.clone();
    let preconditions = Some(Preconditions {
        uid,
        resource_version: None,
    });
    let params = DeleteParams {
        preconditions,
        ..DeleteParams::default()
    };
    match api.delete(&name, &params).await {
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        deleted => deleted.map(drop).map_err(refused),
    }
}
