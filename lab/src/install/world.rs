//! What podid needs of the simulated Azure, which a world of the user's own
//! may lack. Asked before anything is installed: an operator that cannot sign
//! in would only be seen not to become ready.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::InstallError;
use crate::daemon::{
    ISSUER, OPERATOR_ACCOUNT, OPERATOR_APPLICATION, OPERATOR_CLIENT_ID, OPERATOR_ROLES,
};
use crate::handle::Lab;

/// What the world of `lab` lacks that podid can run without, a line each.
///
/// # Errors
///
/// When it lacks what podid cannot run without, or cannot be asked.
pub fn lacking(lab: &Lab) -> Result<Vec<String>, InstallError> {
    let state = state(lab)?;
    let operator = operator(&state).map_err(|lacks| InstallError::World {
        lab: lab.name().to_owned(),
        lacks,
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
                "in this world the operator holds {role} nowhere; unless another role lets it do \
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

    fn world() -> Value {
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
    fn a_whole_world_lacks_nothing() {
        let world = world();
        let operator = operator(&world).unwrap();
        assert_eq!(operator["objectId"], "2");
        assert_eq!(missing_roles(&world, operator), Vec::<String>::new());
    }

    #[test]
    fn what_is_lacking_is_said_with_what_to_add() {
        let mut world = world();
        world["applications"][1]["federatedCredentials"][0]["subject"] = json!("somebody");
        let lacks = operator(&world).unwrap_err();
        assert!(
            lacks.contains("add `federatedCredentials: [{name:"),
            "{lacks}"
        );
        world["applications"][1]["clientId"] = json!("somebody");
        let lacks = operator(&world).unwrap_err();
        assert!(
            lacks.contains("add `applications: [{name: podid-operator"),
            "{lacks}"
        );
        let mut world = self::world();
        world["roleAssignments"][1]["principalId"] = json!("1");
        let [lacks] = &missing_roles(&world, operator(&world).unwrap())[..] else {
            panic!("one role is missing")
        };
        assert!(lacks.contains(OPERATOR_ROLES[1]), "{lacks}");
    }
}
