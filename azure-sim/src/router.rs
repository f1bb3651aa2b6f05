//! The story of a request: which service it is for, what that calls it, whether a fault strikes,
//! the answer, the log.

use std::sync::Arc;

use crate::calls::Call;
use crate::faults::{Effect, alter, respond as canned};
use crate::operation::Operation;
use crate::options::Service;
use crate::server::Hangup;
use crate::shared::Shared;
use crate::wire::{Reply, Request};
use crate::{admin, arm, data, entra, imds};

/// Host of Azure Resource Manager.
pub(crate) const ARM_HOST: &str = "management.azure.com";
/// Host of Entra ID.
pub(crate) const ENTRA_HOST: &str = "login.microsoftonline.com";
/// Every name of Entra ID's host; instance discovery says that they are one.
pub(crate) const ENTRA_HOSTS: &[&str] = &[
    ENTRA_HOST,
    "login.windows.net",
    "login.microsoft.com",
    "sts.windows.net",
];
/// Suffix of vault hosts.
pub(crate) const VAULT_SUFFIX: &str = ".vault.azure.net";
/// Suffix of blob storage hosts.
pub(crate) const BLOB_SUFFIX: &str = ".blob.core.windows.net";

/// What a socket serves.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    /// Azure's public services, this one by default.
    Cloud(Service),
    /// The metadata service of the machine with this folded id.
    Imds(String),
    /// The simulator's own API.
    Admin,
}

/// What a request asks for, and of what.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) operation: Operation,
    pub(crate) resource: String,
}

/// What a service says, and to whom.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    /// Object id of the caller, where one was proven.
    pub(crate) principal: Option<String>,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            principal: None,
        }
    }
}

/// A request as its service understands it.
enum Asked {
    Arm(arm::Route),
    Entra(entra::Route),
    Imds(imds::Route, String),
    Vault(data::vault::Route),
    Blob(data::blob::Route),
}

/// Answers a request, or hangs up.
pub(crate) async fn respond(
    shared: &Arc<Shared>,
    endpoint: &Endpoint,
    request: &Request,
) -> Result<Reply, Hangup> {
    let Some(asked) = understand(endpoint, request) else {
        return Ok(admin::respond(shared, request));
    };
    let named = asked.named(request);
    let struck = shared.faults().strike(named.operation, &named.resource);
    let fault = struck.as_ref().map(|s| s.name.clone());
    let answer = match struck.map(|s| s.effect) {
        Some(Effect::Drop) => None,
        Some(Effect::Respond {
            status,
            headers,
            body,
        }) => Some(canned(status, &headers, body.as_ref()).into()),
        Some(Effect::Delay { seconds }) => {
            tokio::time::sleep(shared.clock.span(seconds)).await;
            Some(asked.answer(shared, request, &named).await)
        }
        Some(Effect::Alter {
            status,
            headers,
            merge,
        }) => {
            let answer = asked.answer(shared, request, &named).await;
            Some(Answer {
                reply: alter(answer.reply, status, &headers, merge.as_ref()),
                ..answer
            })
        }
        _ => Some(asked.answer(shared, request, &named).await),
    };
    record(shared, request, named, answer.as_ref(), fault);
    answer.map(|a| a.reply).ok_or(Hangup::Fault)
}

/// `None` for the admin API.
fn understand(endpoint: &Endpoint, request: &Request) -> Option<Asked> {
    let default = match endpoint {
        Endpoint::Admin => return None,
        Endpoint::Imds(machine) => {
            return Some(Asked::Imds(imds::Route::of(request), machine.clone()));
        }
        Endpoint::Cloud(default) => *default,
    };
    let vault = request.host.strip_suffix(VAULT_SUFFIX);
    let account = request.host.strip_suffix(BLOB_SUFFIX);
    Some(match (request.host.as_str(), vault, account, default) {
        (_, Some(name), _, _) => Asked::Vault(data::vault::Route::of(request, name)),
        (_, _, Some(name), _) => Asked::Blob(data::blob::Route::of(request, name)),
        (ARM_HOST, ..) => Asked::Arm(arm::Route::of(request)),
        (host, ..) if ENTRA_HOSTS.contains(&host) => Asked::Entra(entra::Route::of(request)),
        (.., Service::Arm) => Asked::Arm(arm::Route::of(request)),
        (.., Service::Entra) => Asked::Entra(entra::Route::of(request)),
        (.., Service::Data) => Asked::Vault(data::vault::Route::nowhere()),
    })
}

impl Asked {
    fn named(&self, request: &Request) -> Named {
        match self {
            Self::Arm(route) => route.named(&request.method),
            Self::Entra(route) => route.named(),
            Self::Imds(route, machine) => Named {
                operation: route.operation(),
                resource: machine.clone(),
            },
            Self::Vault(route) => route.named(),
            Self::Blob(route) => route.named(),
        }
    }

    async fn answer(&self, shared: &Arc<Shared>, request: &Request, named: &Named) -> Answer {
        match self {
            Self::Arm(route) => arm::answer(shared, request, route, named),
            Self::Entra(route) => entra::answer(shared, request, route).await,
            Self::Imds(route, machine) => imds::answer(shared, request, route, machine),
            Self::Vault(route) => data::vault::answer(shared, request, route),
            Self::Blob(route) => data::blob::answer(shared, request, route),
        }
    }
}

fn record(
    shared: &Shared,
    request: &Request,
    named: Named,
    answer: Option<&Answer>,
    fault: Option<String>,
) {
    let status = answer.map_or(0, |a| a.reply.status.as_u16());
    tracing::info!(
        operation = %named.operation, resource = %named.resource, status,
        fault = fault.as_deref().unwrap_or_default(), "call",
    );
    shared.calls().record(Call {
        seq: 0,
        time: shared.clock.now(),
        operation: named.operation.name().into(),
        method: request.method.to_string(),
        host: request.host.clone(),
        path: request.path.clone(),
        resource: named.resource,
        status,
        principal: answer.and_then(|a| a.principal.clone()),
        fault,
    });
}
