//! From the kinds to the plain values that `podid-core` decides on: one reader for each kind, used by
//! the operator, the node daemon and the command line alike, so that they never disagree.
//!
//! | file | reads |
//! |---|---|
//! | `mod` | profiles, classes, AzureIdentities, AzureIdentityBindings, exceptions |
//! | `pod` | pods, and the VM or scale set under a node |
//! | `assigned` | AzureAssignedIdentities |

mod assigned;
mod pod;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use kube::{Resource, ResourceExt};
use podid_core::arm::ArmId;
use podid_core::binding::{AzureIdentity, AzureIdentityType, Binding};
use podid_core::class::{AccessLimit, Class, Cloud, Limits, NamedScope, Neighbours, NodeGrants};
use podid_core::net_raw::NetRaw;
use podid_core::owner::{self, ControllerReference, Origin};
use podid_core::profile::grace::{DEFAULT_DELETION_GRACE, LONGEST_DELETION_GRACE};
use podid_core::profile::observed::{ProfileRecord, RecordedIdentity, RecordedRoleAssignment};
use podid_core::profile::{Access, CreationPolicy, Interval, Profile};
use podid_core::resolve::Exception;
use podid_core::scope::Scope;
use podid_core::service_principal::{
    Authority, CredentialKind, PUBLIC_AUTHORITY, PrincipalLimit, ServicePrincipal,
};

use crate::aadpodidentity::{self as kinds, BEHAVIOR_ANNOTATION, BEHAVIOR_NAMESPACED};
pub use assigned::{ReadAssignedIdentity, assigned_identity};
pub use pod::{calling_pod, ipv4_addresses, node_name, pod, target_of};

use crate::podid::{self, ClassLimits, PodIdentityClass, PodIdentityProfile};

/// Annotation of an AzureIdentityBinding that narrows it to service accounts, separated by
/// commas. podid writes it from `binding.serviceAccounts`; the predecessor's kind has no field.
pub const SERVICE_ACCOUNTS_ANNOTATION: &str = "podid.dev/service-accounts";

/// Annotation of a profile's AzureIdentity: the `netRaw` that was last applied, for the node daemon,
/// which may not read profiles.
pub const NET_RAW_ANNOTATION: &str = "podid.dev/net-raw";

/// Annotation of an AzureIdentity that was written by hand: the class within whose limits it is.
pub const CLASS_ANNOTATION: &str = "podid.dev/class";

/// Annotation of a profile's AzureIdentity: the object id of its service principal, which the
/// predecessor's kind has no field for.
pub const PRINCIPAL_ID_ANNOTATION: &str = "podid.dev/principal-id";

/// Annotation of a profile's AzureIdentity: identities that the object named before and that a VM or scale
/// set may still have for its pods, as a JSON object of client ids by ARM id. By it the node daemon keeps
/// them from pods with an exception.
pub const FORMER_IDENTITIES_ANNOTATION: &str = "podid.dev/former-identities";

/// The profile as a value of `core`. `namespace_labels` are the labels of the profile's namespace.
#[must_use]
pub fn profile(object: &PodIdentityProfile, namespace_labels: BTreeMap<String, String>) -> Profile {
    let spec = &object.spec;
    let name = object.name_any();
    let identity = spec.identity.clone().unwrap_or_default();
    let binding = spec.binding.clone().unwrap_or_default();
    let default_creation = match identity.resource_id {
        Some(_) => CreationPolicy::Adopt,
        None => CreationPolicy::Create,
    };
    Profile {
        namespace: object.namespace().unwrap_or_default(),
        uid: object.uid().unwrap_or_default(),
        namespace_labels,
        class_name: spec.class_name.clone(),
        identity_name: identity.name,
        identity_id: identity.resource_id.map(ArmId::new),
        tags: identity.tags.unwrap_or_default(),
        deletion_policy: identity.deletion_policy.unwrap_or_default(),
        deletion_grace: deletion_grace(spec.deletion_grace_period.as_deref()),
        creation_policy: identity.creation_policy.unwrap_or(default_creation),
        access: spec
            .access
            .iter()
            .flatten()
            .map(|rule| Access {
                role: rule.role.clone(),
                scope: Scope::parse(&rule.scope),
            })
            .collect(),
        selector: binding.selector.unwrap_or_else(|| name.clone()),
        service_accounts: binding.service_accounts.into_iter().flatten().collect(),
        backend: spec.backend,
        net_raw: spec.net_raw,
        drift: spec.drift,
        suspend: spec.suspend.unwrap_or_default(),
        interval: interval(spec.interval.as_deref()),
        name,
    }
}

/// What the status of a profile remembers of podid's work.
#[must_use]
pub fn record(profile: &PodIdentityProfile) -> ProfileRecord {
    let status = profile.status.clone().unwrap_or_default();
    let identity = status.identity.map(|identity| RecordedIdentity {
        id: ArmId::new(&identity.resource_id),
        client_id: identity.client_id,
        principal_id: identity.principal_id,
        tenant_id: identity.tenant_id,
        created: identity.created,
    });
    let assignments = status.role_assignments.into_iter().flatten();
    let assignments = assignments.map(|assignment| RecordedRoleAssignment {
        id: ArmId::new(&assignment.id),
        role: assignment.role,
        scope: ArmId::new(&assignment.scope),
        principal_id: assignment.principal_id,
        created: assignment.created,
    });
    let creating = status.creating.iter().flatten().map(ArmId::new);
    ProfileRecord {
        identity,
        creating: creating.collect(),
        role_assignments: assignments.collect(),
    }
}

/// Reads `spec.interval`, which the schema has checked unless the profile is older than it.
fn interval(text: Option<&str>) -> Interval {
    let Some(text) = text else {
        return Interval::Default;
    };
    match duration(text).filter(|interval| !interval.is_zero()) {
        Some(interval) => Interval::Every(interval),
        None => Interval::Invalid(text.to_owned()),
    }
}

/// Reads `spec.deletionGracePeriod`. A deletion cannot be held up by a text that no schema has checked.
fn deletion_grace(text: Option<&str>) -> Duration {
    let grace = text.and_then(duration).unwrap_or(DEFAULT_DELETION_GRACE);
    grace.min(LONGEST_DELETION_GRACE)
}

fn duration(text: &str) -> Option<Duration> {
    let parsed: Option<SignedDuration> = text.parse().ok();
    parsed.and_then(|parsed| Duration::try_from(parsed).ok())
}

/// The class as a value of `core`.
#[must_use]
pub fn class(object: &PodIdentityClass) -> Class {
    let spec = &object.spec;
    Class {
        name: object.name_any(),
        cloud: spec.cloud,
        cluster_name: spec.cluster_name.clone(),
        tenant_id: spec.tenant_id.clone(),
        subscription_id: spec.subscription_id.clone(),
        resource_group: spec.resource_group.clone(),
        location: spec.location.clone(),
        node_resource_group: spec.node_resource_group.clone(),
        default_backend: spec.default_backend,
        node_grants: spec.node_grants.as_ref().map(|grants| NodeGrants {
            principal_id: grants.principal_id.clone(),
            identity_operator: grants.managed_identity_operator,
            machine_contributor: grants.virtual_machine_contributor,
        }),
        scopes: spec
            .scopes
            .iter()
            .flatten()
            .map(|scope| NamedScope {
                name: scope.name.clone(),
                id: ArmId::new(&scope.id),
            })
            .collect(),
        neighbours: spec.neighbours.as_ref().map(neighbours),
        limits: spec.limits.as_ref().map(limits).unwrap_or_default(),
    }
}

fn neighbours(asked: &podid::Neighbours) -> Neighbours {
    Neighbours {
        rule: asked.rule,
        scope: asked.scope,
        except_namespaces: asked.except_namespaces.iter().flatten().cloned().collect(),
        except_nodes: asked.except_nodes.clone().unwrap_or_default(),
    }
}

fn limits(limits: &ClassLimits) -> Limits {
    let namespaces = limits.namespaces.clone().unwrap_or_default();
    Limits {
        namespaces: namespaces.names.into_iter().flatten().collect(),
        namespace_labels: namespaces.match_labels.filter(|labels| !labels.is_empty()),
        access: limits
            .access
            .iter()
            .flatten()
            .map(|limit| AccessLimit {
                role: limit.role.clone(),
                scopes: limit.scopes.iter().map(ArmId::new).collect(),
            })
            .collect(),
        identity_groups: limits
            .identity_groups
            .iter()
            .flatten()
            .map(ArmId::new)
            .collect(),
        backends: limits.backends.iter().flatten().copied().collect(),
        allow_net_raw: limits.allow_net_raw.unwrap_or_default(),
        allow_shared_adoption: limits.allow_shared_adoption.unwrap_or_default(),
        allow_hand_written: limits.allow_hand_written.unwrap_or_default(),
        allow_host_namespaces: limits.allow_host_namespaces.unwrap_or_default(),
        on_narrowing: limits.on_narrowing.unwrap_or_default(),
    }
}

/// What a class allows to service principals; `None` when it allows none.
#[must_use]
pub fn principal_limit(object: &PodIdentityClass) -> Option<PrincipalLimit> {
    let limits = object.spec.limits.as_ref()?;
    let allowed = limits.service_principals.as_ref()?;
    let authorities = allowed.authorities.as_ref().map(|texts| {
        let read = texts.iter().filter_map(|text| Authority::parse(text));
        read.collect()
    });
    Some(PrincipalLimit {
        namespaces: allowed.namespaces.iter().flatten().cloned().collect(),
        authorities: authorities.unwrap_or_else(|| of_cloud(object.spec.cloud)),
    })
}

fn of_cloud(cloud: Cloud) -> BTreeSet<Authority> {
    let authority = match cloud {
        Cloud::AzurePublicCloud => PUBLIC_AUTHORITY,
        Cloud::AzureUSGovernmentCloud => "https://login.microsoftonline.us",
        Cloud::AzureChinaCloud => "https://login.chinacloudapi.cn",
    };
    Authority::parse(authority).into_iter().collect()
}

/// `None` for a number that stands for nothing.
fn identity_type(object: &kinds::AzureIdentity) -> Option<AzureIdentityType> {
    let spec = &object.spec;
    let credential = match spec.kind() {
        0 => return Some(AzureIdentityType::Managed),
        1 => CredentialKind::Password,
        2 => CredentialKind::Certificate,
        _ => return None,
    };
    let secret = spec.client_password();
    Some(AzureIdentityType::ServicePrincipal(ServicePrincipal {
        credential,
        tenant_id: spec.tenant_id().trim().to_owned(),
        auxiliary_tenant_ids: spec.auxiliary_tenant_ids.clone().unwrap_or_default(),
        authority: spec.ad_endpoint.clone().unwrap_or_default(),
        secret_name: secret.name.unwrap_or_default(),
        secret_namespace: secret.namespace.unwrap_or_default(),
    }))
}

/// The AzureIdentity as a value of `core`; `None` when its type stands for nothing, so that an
/// object no schema has checked gives nobody a token.
#[must_use]
pub fn identity(object: &kinds::AzureIdentity) -> Option<AzureIdentity> {
    if is_left_behind(object) {
        return None;
    }
    Some(AzureIdentity {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        kind: identity_type(object)?,
        client_id: object.spec.client_id().trim().to_owned(),
        resource_id: ArmId::new(object.spec.resource_id()),
        principal_id: object.annotations().get(PRINCIPAL_ID_ANNOTATION).cloned(),
        origin: origin(object),
        net_raw: net_raw(object),
        class: object.annotations().get(CLASS_ANNOTATION).cloned(),
        namespaced: object
            .annotations()
            .get(BEHAVIOR_ANNOTATION)
            .is_some_and(|behavior| behavior == BEHAVIOR_NAMESPACED),
    })
}

/// The former identities of a profile's AzureIdentity, with their client ids; none where the annotation is
/// missing or cannot be read.
#[must_use]
pub fn former_identities(object: &kinds::AzureIdentity) -> BTreeMap<ArmId, String> {
    let text = object.annotations().get(FORMER_IDENTITIES_ANNOTATION);
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// The value of [`FORMER_IDENTITIES_ANNOTATION`]; `None` when there are no former identities.
#[must_use]
pub fn write_former_identities(former: &BTreeMap<ArmId, String>) -> Option<String> {
    let written = (!former.is_empty()).then(|| serde_json::to_string(former));
    // A map of texts can always be written.
    written?.ok()
}

/// The AzureIdentityBinding as a value of `core`.
#[must_use]
pub fn binding(object: &kinds::AzureIdentityBinding) -> Option<Binding> {
    if is_left_behind(object) {
        return None;
    }
    // An annotation that is there but empty names no service account, hence binds no pod.
    let service_accounts: BTreeSet<String> = object
        .annotations()
        .get(SERVICE_ACCOUNTS_ANNOTATION)
        .map(|list| list.split(',').map(|name| name.trim().to_owned()).collect())
        .unwrap_or_default();
    Some(Binding {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        identity: object.spec.azure_identity().to_owned(),
        selector: object.spec.selector().to_owned(),
        service_accounts,
        origin: origin(object),
    })
}

/// The AzurePodIdentityException as a value of `core`.
#[must_use]
pub fn exception(object: &kinds::AzurePodIdentityException) -> Exception {
    Exception {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        labels: object.spec.pod_labels(),
    }
}

/// Label with the program that made an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Its value for what the operator makes.
pub const OPERATOR: &str = "podid-operator";

/// Whether the operator made the object for a profile that does not own it any more. Whoever deletes a profile with
/// `--cascade=orphan` has the API server take the owner reference away and leave the object, which nobody then holds to
/// what profiles are held to. Such an object serves nobody.
#[must_use]
pub fn is_left_behind(object: &impl Resource) -> bool {
    let labels = object.meta().labels.as_ref();
    let made = labels.is_some_and(|labels| {
        labels
            .get(MANAGED_BY_LABEL)
            .is_some_and(|by| by == OPERATOR)
    });
    made && origin(object) == Origin::HandWritten
}

/// Whether a person wrote the object, and no profile has or had it.
#[must_use]
pub fn is_hand_written(object: &impl Resource) -> bool {
    origin(object) == Origin::HandWritten && !is_left_behind(object)
}

fn origin(object: &impl Resource) -> Origin {
    owner::origin(&object.name_any(), controllers(object))
}

/// The owner references of an object to its controlling owner, of which the API server allows one.
pub fn controllers(object: &impl Resource) -> impl Iterator<Item = ControllerReference<'_>> {
    let owners = object.meta().owner_references.iter().flatten();
    let controlling = owners.filter(|owner| owner.controller == Some(true));
    controlling.map(|owner| ControllerReference {
        api_version: &owner.api_version,
        kind: &owner.kind,
        name: &owner.name,
        uid: &owner.uid,
    })
}

/// What a profile asks; an annotation that is missing or says something else asks for the strictest rule. Of
/// hand-written objects the cluster's administrator says it.
fn net_raw(object: &kinds::AzureIdentity) -> NetRaw {
    if origin(object) == Origin::HandWritten {
        return NetRaw::Ignore;
    }
    let text = object.annotations().get(NET_RAW_ANNOTATION);
    let read = text.and_then(|text| serde_json::from_value(text.as_str().into()).ok());
    read.unwrap_or(NetRaw::Enforce)
}

#[cfg(test)]
mod tests;
