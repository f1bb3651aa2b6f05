//! Values that several tests start from.

use std::collections::BTreeSet;

use crate::arm::ArmId;
use crate::assigned_identity::{AssignedIdentity, AssignmentState};
use crate::binding::{AzureIdentity, AzureIdentityType, Binding, Pod};
use crate::net_raw::NetRaw;
use crate::owner::Origin;
use crate::service_principal::{CredentialKind, ServicePrincipal};
use crate::target::{Target, TargetError, TargetErrorClass};

pub(crate) fn id(name: &str) -> ArmId {
    ArmId::new(format!(
        "/subscriptions/s/resourceGroups/g/providers/{}/{name}",
        crate::arm::IDENTITY_TYPE
    ))
}

pub(crate) fn ids(names: &[&str]) -> BTreeSet<ArmId> {
    names.iter().map(|name| id(name)).collect()
}

pub(crate) fn scale_set() -> Target {
    let id =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/p";
    Target::parse(id).expect("a scale set")
}

pub(crate) fn pod() -> Pod {
    Pod {
        namespace: "apps".into(),
        name: "web-0".into(),
        uid: "u1".into(),
        selector: Some("web".into()),
        service_account: "default".into(),
        breaches: BTreeSet::new(),
        unserved: None,
    }
}

/// In a namespace that no class lets use one.
pub(crate) fn principal() -> ServicePrincipal {
    ServicePrincipal {
        credential: CredentialKind::Password,
        tenant_id: "tenant-1".into(),
        auxiliary_tenant_ids: vec!["tenant-2".into()],
        authority: String::new(),
        secret_name: "sp".into(),
        secret_namespace: String::new(),
    }
}

pub(crate) fn identity(name: &str, kind: AzureIdentityType, resource_id: ArmId) -> AzureIdentity {
    AzureIdentity {
        namespace: "apps".into(),
        name: name.into(),
        kind,
        client_id: "c".into(),
        resource_id,
        principal_id: None,
        namespaced: false,
        origin: Origin::HandWritten,
        net_raw: NetRaw::Ignore,
        class: None,
    }
}

pub(crate) fn binding(name: &str, identity: &str) -> Binding {
    Binding {
        namespace: "apps".into(),
        name: name.into(),
        identity: identity.into(),
        selector: "web".into(),
        service_accounts: BTreeSet::new(),
        origin: Origin::HandWritten,
    }
}

/// With nothing but what the node daemon reads.
pub(crate) fn assigned(
    pod_uid: &str,
    (namespace, identity): (&str, &str),
    resource_id: ArmId,
    state: AssignmentState,
) -> AssignedIdentity {
    AssignedIdentity {
        pod_uid: pod_uid.into(),
        node: String::new(),
        identity: (namespace.into(), identity.into()),
        resource_id: Some(resource_id),
        client_id: String::new(),
        binding: (String::new(), String::new()),
        state,
    }
}

/// Azure's refusal with this code; `None` is a proxy's answer.
pub(crate) fn target_error(class: TargetErrorClass, code: Option<&str>) -> TargetError {
    TargetError {
        class,
        refused: true,
        code: code.map(str::to_owned),
        named: BTreeSet::new(),
        retry_after: None,
        next_step: "correct it".into(),
        message: "PATCH was refused".into(),
    }
}
