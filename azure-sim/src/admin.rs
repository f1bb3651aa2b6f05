//! The simulator's own API: faults, calls, state and seed. It is plain HTTP without authentication,
//! for loopback only.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::{Fault, Preset};
use crate::message::{Reply, Request};
use crate::operation::OperationPattern;
use crate::seed::Seed;
use crate::shared::Shared;

/// A preset by name; the other fields replace the preset's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PresetRequest {
    preset: Preset,
    operation: Option<OperationPattern>,
    resource: Option<String>,
    count: Option<u64>,
    seconds: Option<f64>,
    probability: Option<f64>,
    #[serde(rename = "seed")]
    random_seed: Option<u64>,
}

impl PresetRequest {
    fn apply(self, fault: Fault) -> Fault {
        Fault {
            name: fault.name,
            operation: self.operation.unwrap_or(fault.operation),
            resource: self.resource.or(fault.resource),
            effect: fault.effect,
            // A fault ends at whichever limit is reached first. So a limit of one kind in the
            // request also replaces the preset's limit of the other kind.
            count: self
                .count
                .or(fault.count.filter(|_| self.seconds.is_none())),
            seconds: self
                .seconds
                .or(fault.seconds.filter(|_| self.count.is_none())),
            probability: self.probability.unwrap_or(fault.probability),
            random_seed: self.random_seed.or(fault.random_seed),
        }
    }
}

/// Answers a request to the admin API.
pub(crate) fn respond(shared: &Shared, request: &Request) -> Reply {
    // Protection against DNS rebinding: a page in a browser can reach loopback by a name that
    // resolves to it, but the browser sends that name as `Host`, and the page cannot change it.
    if !is_local(&request.host) {
        return failure(
            StatusCode::FORBIDDEN,
            "the admin API answers to localhost and addresses only",
        );
    }
    let parts: Vec<_> = request.path.trim_matches('/').split('/').collect();
    match (request.method.clone(), &parts[..]) {
        (Method::GET, ["healthz"]) => ok(&json!({"status": "ok"})),
        (Method::GET, ["calls"]) => calls(shared, request),
        (Method::DELETE, ["calls"]) => {
            shared.calls().clear();
            Reply::empty(StatusCode::NO_CONTENT)
        }
        (Method::GET, ["counters"]) => ok(&shared.calls().counters()),
        (Method::GET, ["faults"]) => ok(&json!({"faults": shared.faults().list()})),
        (Method::GET, ["faults", "presets"]) => presets(shared),
        (Method::POST, ["faults"]) => arm_fault(shared, request),
        (Method::DELETE, ["faults"]) => {
            shared.faults().clear();
            Reply::empty(StatusCode::NO_CONTENT)
        }
        (Method::DELETE, ["faults", id]) => disarm_fault(shared, id),
        (Method::GET, ["state"]) => {
            let mut state = shared.state();
            state.end_due_operations(shared.clock);
            ok(&state.summary())
        }
        // `world` is the former name of this path.
        (Method::POST, ["seed" | "world"]) => merge_seed(shared, request),
        _ => failure(
            StatusCode::NOT_FOUND,
            "there are GET /calls /counters /faults /faults/presets /state /healthz, POST /faults \
             /seed, DELETE /calls /faults /faults/{id}",
        ),
    }
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()
}

fn calls(shared: &Shared, request: &Request) -> Reply {
    let pattern = match request
        .query("operation")
        .map(str::parse::<OperationPattern>)
        .transpose()
    {
        Ok(pattern) => pattern,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    ok(&json!({"calls": shared.calls().list(pattern.as_ref())}))
}

fn presets(shared: &Shared) -> Reply {
    match Preset::ALL
        .iter()
        .map(|p| p.fault(shared.clock))
        .collect::<Result<Vec<_>, _>>()
    {
        Ok(presets) => ok(&json!({"presets": presets})),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn arm_fault(shared: &Shared, request: &Request) -> Reply {
    let fault = match read_fault(shared, &request.body) {
        Ok(fault) => fault,
        Err(problem) => return failure(StatusCode::BAD_REQUEST, &problem),
    };
    let id = shared.faults().arm(fault);
    Reply::json(StatusCode::CREATED, &json!({"id": id}))
}

fn read_fault(shared: &Shared, body: &[u8]) -> Result<Fault, String> {
    let value: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let fault = if value.get("preset").is_some() {
        let request: PresetRequest = serde_json::from_value(value).map_err(|e| e.to_string())?;
        let fault = request
            .preset
            .fault(shared.clock)
            .map_err(|e| e.to_string())?;
        request.apply(fault)
    } else {
        serde_json::from_value(value).map_err(|e| e.to_string())?
    };
    if !(0.0..=1.0).contains(&fault.probability) {
        return Err(format!(
            "probability {} is not between 0 and 1",
            fault.probability
        ));
    }
    Ok(fault)
}

fn disarm_fault(shared: &Shared, id: &str) -> Reply {
    match id.parse().map(|id| shared.faults().disarm(id)) {
        Ok(true) => Reply::empty(StatusCode::NO_CONTENT),
        _ => failure(
            StatusCode::NOT_FOUND,
            &format!("no fault has the number {id}"),
        ),
    }
}

fn merge_seed(shared: &Shared, request: &Request) -> Reply {
    let text = String::from_utf8_lossy(&request.body);
    let merged = Seed::parse(&text, "the request").and_then(|seed| shared.state().merge(&seed));
    match merged {
        Ok(()) => Reply::empty(StatusCode::NO_CONTENT),
        Err(error) => failure(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn ok(body: &impl serde::Serialize) -> Reply {
    Reply::json(StatusCode::OK, body)
}

fn failure(status: StatusCode, problem: &str) -> Reply {
    Reply::json(status, &json!({"error": problem}))
}
