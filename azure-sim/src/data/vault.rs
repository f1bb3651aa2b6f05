//! Key Vault: getting a secret, in the role-based permission model.

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::access::is_allowed;
use crate::answer::{Answer, Invocation};
use crate::host_names::{ENTRA_HOST, VAULT_SUFFIX};
use crate::ids::stable_guid;
use crate::message::{Reply, Request};
use crate::operation::Operation;
use crate::resources::{DataStore, Plane};
use crate::seed::{Sensitive, Vault};
use crate::shared::Shared;
use crate::state::State;
use crate::tokens::{Caller, TokenError, issuer_v1};

const RESOURCE: &str = "https://vault.azure.net";
const GET_SECRET: &str = "Microsoft.KeyVault/vaults/secrets/getSecret/action";

/// A request to a vault, by its path.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    vault: String,
    /// Name and, if the path has one, version.
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

    /// A request whose host name is that of no vault and no account.
    pub(crate) fn without_vault() -> Self {
        Self {
            vault: String::new(),
            secret: None,
        }
    }

    pub(crate) fn invocation(&self) -> Invocation {
        match &self.secret {
            Some((name, _)) => Invocation {
                operation: Operation::SecretGet,
                resource: format!("{}/secrets/{name}", self.vault),
            },
            None => Invocation {
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
    let caller =
        shared
            .token_issuer
            .caller(request, &state.tenant, &[RESOURCE], shared.clock.epoch());
    let (reply, principal) = match caller {
        Ok(caller) => (
            get_secret(shared, &state, request, route, vault, &caller),
            Some(caller.oid),
        ),
        Err(refused) => (challenge(&refused, &state.tenant), None),
    };
    let reply = reply
        .with("cache-control", "no-cache")
        .with("x-ms-keyvault-region", &vault.location)
        .with("x-ms-keyvault-service-version", "1.9.1500.1")
        .with("x-ms-request-id", uuid::Uuid::new_v4().to_string());
    Answer {
        principal,
        ..reply.into()
    }
}

fn get_secret(
    shared: &Shared,
    state: &State,
    request: &Request,
    route: &Route,
    vault: &DataStore<Vault>,
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
    let (operation, need) = (Operation::SecretGet, (Plane::Data, GET_SECRET));
    if !is_allowed(shared, state, operation, &caller.oid, need, &scope) {
        return forbidden(state, vault, caller, &scope);
    }
    let Some((known, value)) = find_secret(vault, name, version.as_deref()) else {
        let text = format!(
            "A secret with (name/id) {name} was not found in this key vault. If you recently \
             deleted this secret you may be able to recover it using the correct recovery command."
        );
        return error(StatusCode::NOT_FOUND, "SecretNotFound", &text, None);
    };
    let body = secret_json(state, vault, known, value);
    Reply::json(StatusCode::OK, &body)
}

fn secret_json(state: &State, vault: &DataStore<Vault>, name: &str, value: &Sensitive) -> Value {
    let host = vault.content.name.to_lowercase();
    let version = version_of(vault, name);
    // Seeds state no time for secrets. The oldest role assignment stands for the start.
    let created = state
        .assignments
        .values()
        .map(|a| a.created.as_second())
        .min()
        .unwrap_or_default();
    json!({
        "value": value.reveal(),
        "id": format!("https://{host}{VAULT_SUFFIX}/secrets/{name}/{version}"),
        "attributes": {
            "enabled": true,
            "created": created,
            "updated": created,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        },
        "tags": {},
    })
}

/// A secret by name and, if given, version; with its name as it was created.
fn find_secret<'a>(
    vault: &'a DataStore<Vault>,
    name: &str,
    version: Option<&str>,
) -> Option<(&'a String, &'a Sensitive)> {
    let mut secrets = vault.content.secrets.iter();
    let found = secrets.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.filter(|(known, _)| {
        version.is_none_or(|v| v.eq_ignore_ascii_case(&version_of(vault, known)))
    })
}

/// The version of a secret: 32 hexadecimal digits, different for each value.
fn version_of(vault: &DataStore<Vault>, secret: &str) -> String {
    let value = vault.content.secrets.get(secret).map_or("", |v| v.reveal());
    stable_guid(
        "secret",
        &format!("{}|{secret}|{value}", vault.content.name),
    )
    .replace('-', "")
}

fn challenge(refused: &TokenError, tenant: &str) -> Reply {
    let text = match refused {
        TokenError::Missing => "AKV10000: Request is missing a Bearer or PoP token.".to_owned(),
        TokenError::Audience(found) => {
            format!("AKV10022: Invalid audience. Expected {RESOURCE}, found: {found}.")
        }
        TokenError::Expired(_) => "AKV10041: The token is expired.".to_owned(),
        TokenError::Malformed | TokenError::Forged | TokenError::NotYet => {
            "AKV10046: Unable to resolve the key used for signature validation.".to_owned()
        }
    };
    let challenge =
        format!("Bearer authorization=\"https://{ENTRA_HOST}/{tenant}\", resource=\"{RESOURCE}\"");
    error(StatusCode::UNAUTHORIZED, "Unauthorized", &text, None).with("www-authenticate", challenge)
}

fn forbidden(state: &State, vault: &DataStore<Vault>, caller: &Caller, scope: &str) -> Reply {
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
