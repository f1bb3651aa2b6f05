//! The way of a request: find its service, name its operation, match it against the faults, let
//! the service answer, record the call.

use std::sync::Arc;

use crate::answer::{Answer, Invocation};
use crate::calls::Call;
use crate::faults::{Effect, alter, respond as canned_reply};
use crate::host_names::{ARM_HOST, BLOB_SUFFIX, ENTRA_HOSTS, VAULT_SUFFIX};
use crate::message::{Reply, Request};
use crate::options::Service;
use crate::shared::Shared;
use crate::{admin, arm, data, entra, imds};

/// What a socket serves.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    /// Azure's public services by host name; this one for any other host.
    Cloud(Service),
    /// The metadata service of the VM with this normalized id.
    Imds(String),
    /// The simulator's own API.
    Admin,
}

/// The connection is closed without an answer, because a fault says so.
#[derive(Debug, thiserror::Error)]
#[error("dropped by a fault")]
pub(crate) struct DroppedByFault;

/// A request as its service understands it.
enum ServiceRequest {
    Arm(arm::Route),
    Entra(entra::Route),
    /// With the normalized id of the VM that asks.
    Imds(imds::Route, String),
    Vault(data::vault::Route),
    Blob(data::blob::Route),
}

/// Answers a request.
pub(crate) async fn respond(
    shared: &Arc<Shared>,
    endpoint: &Endpoint,
    request: &Request,
) -> Result<Reply, DroppedByFault> {
    let Some(service) = service_request(endpoint, request) else {
        return Ok(admin::respond(shared, request));
    };
    let invocation = service.invocation(request);
    let matched = shared
        .faults()
        .match_call(invocation.operation, &invocation.resource);
    let (fault, effect) = matched.map(|m| (m.name, m.effect)).unzip();
    let answer = service
        .answer_under(effect, shared, request, &invocation)
        .await;
    record(shared, request, invocation, answer.as_ref(), fault);
    answer.map(|a| a.reply).ok_or(DroppedByFault)
}

/// The request, read by its service's rules; `None` for the admin API, whose calls are neither
/// logged nor subject to faults.
fn service_request(endpoint: &Endpoint, request: &Request) -> Option<ServiceRequest> {
    use ServiceRequest as To;
    let default = match endpoint {
        Endpoint::Admin => return None,
        Endpoint::Imds(vm) => return Some(To::Imds(imds::Route::of(request), vm.clone())),
        Endpoint::Cloud(default) => *default,
    };
    let host = request.host.as_str();
    if let Some(name) = host.strip_suffix(VAULT_SUFFIX) {
        return Some(To::Vault(data::vault::Route::of(request, name)));
    }
    if let Some(name) = host.strip_suffix(BLOB_SUFFIX) {
        return Some(To::Blob(data::blob::Route::of(request, name)));
    }
    let service = match host {
        ARM_HOST => Service::Arm,
        host if ENTRA_HOSTS.contains(&host) => Service::Entra,
        _ => default,
    };
    Some(match service {
        Service::Arm => To::Arm(arm::Route::of(request)),
        Service::Entra => To::Entra(entra::Route::of(request)),
        // Vaults and accounts are identified by host name only, and this host is none of theirs.
        Service::Data => To::Vault(data::vault::Route::without_vault()),
    })
}

impl ServiceRequest {
    fn invocation(&self, request: &Request) -> Invocation {
        match self {
            Self::Arm(route) => route.invocation(&request.method),
            Self::Entra(route) => route.invocation(),
            Self::Imds(route, vm) => Invocation {
                operation: route.operation(),
                resource: vm.clone(),
            },
            Self::Vault(route) => route.invocation(),
            Self::Blob(route) => route.invocation(),
        }
    }

    /// The answer with a fault's effect applied; `None` where the connection is to be dropped.
    async fn answer_under(
        &self,
        effect: Option<Effect>,
        shared: &Arc<Shared>,
        request: &Request,
        invocation: &Invocation,
    ) -> Option<Answer> {
        match effect {
            Some(Effect::Drop) => return None,
            Some(Effect::Respond {
                status,
                headers,
                body,
            }) => return Some(canned_reply(status, &headers, body.as_ref()).into()),
            Some(Effect::Delay { seconds }) => {
                tokio::time::sleep(shared.clock.span(seconds)).await;
            }
            _ => {}
        }
        let mut answer = self.answer(shared, request, invocation).await;
        if let Some(Effect::Alter {
            status,
            headers,
            merge,
        }) = effect
        {
            answer.reply = alter(answer.reply, status, &headers, merge.as_ref());
        }
        Some(answer)
    }

    async fn answer(
        &self,
        shared: &Arc<Shared>,
        request: &Request,
        invocation: &Invocation,
    ) -> Answer {
        match self {
            Self::Arm(route) => arm::answer(shared, request, route, invocation),
            Self::Entra(route) => entra::answer(shared, request, route).await,
            Self::Imds(route, vm) => imds::answer(shared, request, route, vm),
            Self::Vault(route) => data::vault::answer(shared, request, route),
            Self::Blob(route) => data::blob::answer(shared, request, route),
        }
    }
}

fn record(
    shared: &Shared,
    request: &Request,
    invocation: Invocation,
    answer: Option<&Answer>,
    fault: Option<String>,
) {
    let status = answer.map_or(0, |a| a.reply.status.as_u16());
    tracing::info!(
        operation = %invocation.operation, resource = %invocation.resource, status,
        fault = fault.as_deref().unwrap_or_default(), "call",
    );
    shared.calls().record(Call {
        seq: 0,
        time: shared.clock.now(),
        operation: invocation.operation.name().into(),
        method: request.method.to_string(),
        host: request.host.clone(),
        path: request.path.clone(),
        resource: invocation.resource,
        status,
        principal: answer.and_then(|a| a.principal.clone()),
        actions: answer.map(|a| a.actions.clone()).unwrap_or_default(),
        fault,
    });
}
