//! What podid needs in the simulated Azure, which a seed of the user's own may
//! not have. Checked before anything is installed: of an operator that cannot
//! sign in one would only see that it does not become ready.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::error::InstallError;
use crate::lab::Lab;
use crate::layout::{
    ISSUER, OPERATOR_ACCOUNT, OPERATOR_APPLICATION, OPERATOR_CLIENT_ID, OPERATOR_ROLES,
};

/// What the simulated Azure of `lab` does not have and podid can run without, a
/// line each.
///
/// # Errors
///
/// When something is missing that podid cannot run without, or the simulated
/// Azure cannot be asked.
pub fn missing(lab: &Lab) -> Result<Vec<String>, InstallError> {
    let state = state(lab)?;
    let operator = operator(&state).map_err(|missing| InstallError::SignIn {
        lab: lab.name().to_owned(),
        missing,
    })?;
    Ok(missing_roles(&state, operator))
}

fn state(lab: &Lab) -> Result<Value, InstallError> {
    let url = format!("{}/state", lab.sim_admin_url());
    let output = Command::new("curl")
        .args(["-sS", "-f", "--noproxy", "*", "--max-time", "10", &url])
        .stdin(Stdio::null())
        .output()
        .map_err(|source| InstallError::Run("curl".to_owned(), source))?;
    serde_json::from_slice(&output.stdout).map_err(|_| InstallError::Failed {
        command: format!("curl {url}"),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// The operator's application, or what is missing for it to sign in.
fn operator(state: &Value) -> Result<&Value, String> {
    let found = list(state, "applications").find(|app| app["clientId"] == OPERATOR_CLIENT_ID);
    let trusts = |credential: &Value| {
        credential["issuer"] == ISSUER && credential["subject"] == OPERATOR_ACCOUNT
    };
    let credential =
        format!("{{name: lab-cluster, issuer: \"{ISSUER}\", subject: \"{OPERATOR_ACCOUNT}\"}}");
    match found {
        None => Err(format!(
            "it has no application for the operator; add `applications: [{{name: \
             {OPERATOR_APPLICATION}, clientId: {OPERATOR_CLIENT_ID}, federatedCredentials: \
             [{credential}]}}]`"
        )),
        Some(app) if !list(app, "federatedCredentials").any(trusts) => Err(format!(
            "its application {OPERATOR_CLIENT_ID} does not trust the operator's service account; \
             add `federatedCredentials: [{credential}]` to it"
        )),
        Some(app) => Ok(app),
    }
}

fn missing_roles(state: &Value, operator: &Value) -> Vec<String> {
    let held = |role: &str| {
        list(state, "roleAssignments")
            .any(|right| right["principalId"] == operator["objectId"] && right["role"] == role)
    };
    let missing = OPERATOR_ROLES.iter().filter(|role| !held(role));
    missing
        .map(|role| {
            format!(
                "in this simulated Azure the operator holds {role} nowhere; unless another role lets it do \
                 the same, what needs it will fail: `roleAssignments: [{{role: {role}, principal: \
                 {}}}]` grants it",
                operator["name"].as_str().unwrap_or(OPERATOR_APPLICATION)
            )
        })
        .collect()
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state_of_azure() -> Value {
        json!({
            "applications": [
                {"clientId": "another", "objectId": "1", "federatedCredentials": []},
                {"clientId": OPERATOR_CLIENT_ID, "objectId": "2", "federatedCredentials": [
                    {"issuer": ISSUER, "subject": OPERATOR_ACCOUNT},
                ]},
            ],
            "roleAssignments": OPERATOR_ROLES
                .map(|role| json!({"principalId": "2", "role": role, "scope": "/anywhere"})),
        })
    }

    #[test]
    fn nothing_is_missing_in_a_complete_state() {
        let state = state_of_azure();
        let operator = operator(&state).unwrap();
        assert_eq!(operator["objectId"], "2");
        assert_eq!(missing_roles(&state, operator), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_add() {
        let mut state = state_of_azure();
        state["applications"][1]["federatedCredentials"][0]["subject"] = json!("somebody");
        let missing = operator(&state).unwrap_err();
        assert!(
            missing.contains("add `federatedCredentials: [{name:"),
            "{missing}"
        );
        state["applications"][1]["clientId"] = json!("somebody");
        let missing = operator(&state).unwrap_err();
        assert!(
            missing.contains("add `applications: [{name: podid-operator"),
            "{missing}"
        );
        let mut state = state_of_azure();
        state["roleAssignments"][1]["principalId"] = json!("1");
        let [missing] = &missing_roles(&state, operator(&state).unwrap())[..] else {
            panic!("one role is missing")
        };
        assert!(missing.contains(OPERATOR_ROLES[1]), "{missing}");
    }
}
