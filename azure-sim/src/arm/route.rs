//! An ARM request: its path, what the path names, and the operation.

use http::Method;
use percent_encoding::percent_decode_str;

use super::kind::Kind;
use super::path;
use crate::answer::Invocation;
use crate::ids::{ResourceId, VIRTUAL_MACHINES};
use crate::message::Request;
use crate::operation::Operation;

/// A path and what it names.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// The path, decoded, without doubled slashes.
    pub(crate) path: String,
    pub(crate) kind: Kind,
}

impl Route {
    pub(crate) fn of(request: &Request) -> Self {
        let path = percent_decode_str(&request.path)
            .decode_utf8_lossy()
            .into_owned();
        let parts: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
        Self {
            path: format!("/{}", parts.join("/")),
            kind: path::kind(&parts),
        }
    }

    pub(crate) fn invocation(&self, method: &Method) -> Invocation {
        Invocation {
            operation: operation(&self.kind, method),
            resource: self.path.clone(),
        }
    }
}

fn operation(kind: &Kind, method: &Method) -> Operation {
    let method = method.as_str();
    identity_operation(kind, method)
        .or_else(|| role_operation(kind, method))
        .or_else(|| compute_operation(kind, method))
        .or_else(|| container_operation(kind, method))
        .unwrap_or(Operation::ArmOther)
}

fn identity_operation(kind: &Kind, method: &str) -> Option<Operation> {
    use Operation as Op;
    Some(match (kind, method) {
        (Kind::Identity(_), "GET") => Op::IdentityGet,
        (Kind::Identity(_), "PUT") => Op::IdentityPut,
        (Kind::Identity(_), "PATCH") => Op::IdentityPatch,
        (Kind::Identity(_), "DELETE") => Op::IdentityDelete,
        (Kind::Identities(_), "GET") => Op::IdentityList,
        (Kind::SystemIdentity { .. }, "GET") => Op::SystemIdentityGet,
        (Kind::Federated(..), "GET") => Op::FederatedGet,
        (Kind::Federated(..), "PUT") => Op::FederatedPut,
        (Kind::Federated(..), "DELETE") => Op::FederatedDelete,
        (Kind::FederatedOf(_), "GET") => Op::FederatedList,
        _ => return None,
    })
}

fn role_operation(kind: &Kind, method: &str) -> Option<Operation> {
    use Operation as Op;
    Some(match (kind, method) {
        (Kind::RoleDefinition { .. }, "GET") => Op::RoleDefinitionGet,
        (Kind::RoleDefinitions { .. }, "GET") => Op::RoleDefinitionList,
        (Kind::RoleAssignment { .. }, "GET") => Op::RoleAssignmentGet,
        (Kind::RoleAssignment { .. }, "PUT") => Op::RoleAssignmentPut,
        (Kind::RoleAssignment { .. }, "DELETE") => Op::RoleAssignmentDelete,
        (Kind::RoleAssignments { .. }, "GET") => Op::RoleAssignmentList,
        _ => return None,
    })
}

fn compute_operation(kind: &Kind, method: &str) -> Option<Operation> {
    use Operation as Op;
    let vm = |id: &ResourceId| id.kind == VIRTUAL_MACHINES;
    Some(match (kind, method) {
        (Kind::Compute(id), "GET") if vm(id) => Op::VmGet,
        (Kind::Compute(id), "PUT") if vm(id) => Op::VmPut,
        (Kind::Compute(id), "PATCH") if vm(id) => Op::VmPatch,
        (Kind::Compute(_), "GET") => Op::VmssGet,
        (Kind::Compute(_), "PUT") => Op::VmssPut,
        (Kind::Compute(_), "PATCH") => Op::VmssPatch,
        (Kind::ComputeList(_, VIRTUAL_MACHINES), "GET") => Op::VmList,
        (Kind::ComputeList(..), "GET") => Op::VmssList,
        (Kind::Upgrade(_), "POST") => Op::VmssUpgrade,
        (Kind::Instance(..), "GET") => Op::VmssInstanceGet,
        (Kind::Instances(_), "GET") => Op::VmssInstanceList,
        (Kind::Operation { .. }, "GET") => Op::OperationGet,
        _ => return None,
    })
}

fn container_operation(kind: &Kind, method: &str) -> Option<Operation> {
    use Operation as Op;
    Some(match (kind, method) {
        (Kind::Subscription(_), "GET") => Op::SubscriptionGet,
        (Kind::Subscriptions, "GET") => Op::SubscriptionList,
        (Kind::Locations(_), "GET") => Op::LocationList,
        (Kind::Group(_), "GET") => Op::GroupGet,
        (Kind::Groups(_), "GET") => Op::GroupList,
        _ => return None,
    })
}
