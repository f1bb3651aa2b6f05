//! Key Vault: getting a secret, in a vault that goes by roles.

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::may;
use crate::operation::Operation;
use crate::router::{Answer, ENTRA_HOST, Named, VAULT_SUFFIX};
use crate::shared::Shared;
use crate::state::ids::named;
use crate::state::{Plane, State, Store};
use crate::tokens::{Caller, Refused, issuer_v1};
use crate::wire::{Reply, Request};
use crate::world::Vault;

const RESOURCE: &str = "https://vault.azure.net";
const GET_SECRET: &str = "Microsoft.KeyVault/vaults/secrets/getSecret/action";

/// What a request to a vault asks for.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    vault: String,
    secret: Option<(String, Option<String>)>,
}

impl Route {
    pub(crate) fn of(request: &Request, vault: &str) -> Self {
        let path = percent_decode_str(&request.path)
            .decode_utf8_lossy()
            .into_owned();
        let parts: Vec<_> = path.split('/').filter(|s| !s.is_empty()).collect();
        let secret = match parts[..] {
            [s, name] if s.eq_ignore_ascii_case("secrets") => Some((name.to_owned(), None)),
            [s, name, version] if s.eq_ignore_ascii_case("secrets") => {
                Some((name.to_owned(), Some(version.to_owned())))
            }
            _ => None,
        };
        let secret = secret.filter(|_| request.method == Method::GET);
        Self {
            vault: vault.into(),
            secret,
        }
    }

    /// A request to a data listener that does not say which vault or account it means.
    pub(crate) fn nowhere() -> Self {
        Self {
            vault: String::new(),
            secret: None,
        }
    }

    pub(crate) fn named(&self) -> Named {
        match &self.secret {
            Some((name, _)) => Named {
                operation: Operation::SecretGet,
                resource: format!("{}/secrets/{name}", self.vault),
            },
            None => Named {
                operation: Operation::VaultOther,
                resource: self.vault.clone(),
            },
        }
    }
}

/// Answers a request to a vault.
pub(crate) fn answer(shared: &Shared, request: &Request, route: &Route) -> Answer {
    let state = shared.state();
    let Some(vault) = state.vaults.get(&route.vault) else {
        let text = format!(
            "There is no vault '{}'. A vault is reached as {{name}}{VAULT_SUFFIX}.",
            route.vault
        );
        return error(StatusCode::NOT_FOUND, "VaultNotFound", &text, None).into();
    };
    let caller = shared
        .signer
        .caller(request, &state.tenant, &[RESOURCE], shared.clock.epoch());
    let (reply, principal) = match caller {
        Ok(caller) => (
            admitted(shared, &state, request, route, vault, &caller),
            Some(caller.oid),
        ),
        Err(refused) => (challenge(&refused, &state.tenant), None),
    };
    let reply = reply
        .with("cache-control", "no-cache")
        .with("x-ms-keyvault-region", &vault.location)
        .with("x-ms-keyvault-service-version", "1.9.1500.1")
        .with("x-ms-request-id", uuid::Uuid::new_v4().to_string());
    Answer { reply, principal }
}

fn admitted(
    shared: &Shared,
    state: &State,
    request: &Request,
    route: &Route,
    vault: &Store<Vault>,
    caller: &Caller,
) -> Reply {
    let Some((name, version)) = &route.secret else {
        let text = "azure-sim simulates getting a secret of a vault and nothing else.";
        return error(StatusCode::NOT_IMPLEMENTED, "NotSimulated", text, None);
    };
    if request.query("api-version").is_none_or(str::is_empty) {
        let text = "api-version must be specified";
        return error(StatusCode::BAD_REQUEST, "BadParameter", text, None);
    }
    let scope = format!("{}/secrets/{name}", vault.id.path());
    if !may(
        shared,
        state,
        Operation::SecretGet,
        &caller.oid,
        (Plane::Data, GET_SECRET),
        &scope,
    ) {
        return forbidden(state, vault, caller, &scope);
    }
    let found = vault
        .content
        .secrets
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    let found = found.filter(|(known, _)| {
        version
            .as_ref()
            .is_none_or(|v| v.eq_ignore_ascii_case(&version_of(vault, known)))
    });
    let Some((known, value)) = found else {
        let text = format!(
            "A secret with (name/id) {name} was not found in this key vault. If you recently \
             deleted this secret you may be able to recover it using the correct recovery command."
        );
        return error(StatusCode::NOT_FOUND, "SecretNotFound", &text, None);
    };
    let version = version_of(vault, known);
    let created = state
        .assignments
        .values()
        .map(|a| a.created.as_second())
        .min()
        .unwrap_or_default();
    Reply::json(
        StatusCode::OK,
        &json!({
            "value": value.reveal(),
            "id": format!("https://{}{VAULT_SUFFIX}/secrets/{known}/{version}", vault.content.name.to_lowercase()),
            "attributes": {
                "enabled": true,
                "created": created,
                "updated": created,
                "recoveryLevel": "Recoverable+Purgeable",
                "recoverableDays": 90,
            },
            "tags": {},
        }),
    )
}

/// Versions are 32 digits; this one changes with the value.
fn version_of(vault: &Store<Vault>, secret: &str) -> String {
    let value = vault.content.secrets.get(secret).map_or("", |v| v.reveal());
    named(
        "secret",
        &format!("{}|{secret}|{value}", vault.content.name),
    )
    .replace('-', "")
}

fn challenge(refused: &Refused, tenant: &str) -> Reply {
    let (code, text) = match refused {
        Refused::Missing => (
            "Unauthorized",
            "AKV10000: Request is missing a Bearer or PoP token.".to_owned(),
        ),
        Refused::Audience(found) => (
            "Unauthorized",
            format!("AKV10022: Invalid audience. Expected {RESOURCE}, found: {found}."),
        ),
        Refused::Expired(_) => ("Unauthorized", "AKV10041: The token is expired.".to_owned()),
        Refused::Malformed | Refused::Forged | Refused::NotYet => (
            "Unauthorized",
            "AKV10046: Unable to resolve the key used for signature validation.".to_owned(),
        ),
    };
    let challenge =
        format!("Bearer authorization=\"https://{ENTRA_HOST}/{tenant}\", resource=\"{RESOURCE}\"");
    error(StatusCode::UNAUTHORIZED, code, &text, None).with("www-authenticate", challenge)
}

fn forbidden(state: &State, vault: &Store<Vault>, caller: &Caller, scope: &str) -> Reply {
    let text = format!(
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny \
         assignments or role definitions were changed recently, please observe propagation \
         time.\r\nCaller: appid={};oid={};iss={}\r\nAction: '{GET_SECRET}'\r\nResource: \
         '{}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \
         \r\nVault: {};location={}\r\n",
        caller.appid,
        caller.oid,
        issuer_v1(&state.tenant),
        scope.to_lowercase(),
        vault.content.name,
        vault.location,
    );
    error(
        StatusCode::FORBIDDEN,
        "Forbidden",
        &text,
        Some("ForbiddenByRbac"),
    )
}

fn error(status: StatusCode, code: &str, text: &str, inner: Option<&str>) -> Reply {
    let mut error: Value = json!({"code": code, "message": text});
    if let Some(inner) = inner {
        error["innererror"] = json!({"code": inner});
    }
    Reply::json(status, &json!({"error": error}))
}
