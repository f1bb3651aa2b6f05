//! An operator that is told to grant more than its condition names.

use podid_azure::{ArmRoleAssignments, AzureError, RoleAssignments};
use podid_lab::Lab;
use podid_lab::layout::SUBSCRIPTION;
use podid_tests::azure;
use podid_tests::kubectl::Kubectl;
use podid_tests::workloads::wait_until;
use reqwest::{Certificate, Client};
use serde_json::{Value, json};

use super::reader::{Reader, STORES};
use super::stage::{self, TEAM, allows_access};

/// The GUID of Key Vault Secrets User, which the class allows.
const OF_THE_CLASS: &str = "4633458b-17de-408a-b874-0445c86b69e6";
/// Name of the role assignment of somebody else.
const FOREIGN: &str = "f0000000-0000-4000-8000-000000000001";
/// Name of a role assignment that no test leaves behind.
const NEW: &str = "f0000000-0000-4000-8000-000000000002";

#[test]
fn the_operator_cannot_grant_owner_even_when_told_to() {
    let reader = Reader::new();
    let calls = reader.prepares_azure();
    let foreign =
        json!({"name": FOREIGN, "role": "Owner", "principal": "legacy", "scope": stores()});
    let lab = stage::up("owner", &reader, &calls, &[foreign]);
    let kubectl = Kubectl::of(&lab);
    allows_access(&kubectl, "Owner", &stores());
    kubectl.apply(&json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityProfile",
        "metadata": {"name": "boss", "namespace": TEAM},
        "spec": {"className": "standard", "access": [{"role": "Owner", "scope": stores()}]},
    }));
    let mut message = String::new();
    wait_until("Azure has refused to grant Owner", || {
        let refused = access_of_boss(&kubectl);
        refused.inspect(|text| message.clone_from(text)).is_some()
    });
    let said = format!(
        "creating a role assignment on {} failed: ask for a role that the condition on the operator's right to grant \
         roles names, or renew that condition with what `podid azure-role` prints for the class. ",
        stores()
    );
    assert!(message.starts_with(&said), "{message}");
    assert!(tries_refused(&lab) >= 1);
    assert_eq!(names_of_owners(&lab), [FOREIGN]);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(cannot_take_away_what_is_foreign(&lab));
    runtime.block_on(grants_to_service_principals_only(&lab));
    assert_eq!(names_of_owners(&lab), [FOREIGN]);
    let delete = ["delete", "podidentityprofile/boss", "--timeout=60s"];
    kubectl.run(&[&["--namespace", TEAM][..], &delete].concat());
}

fn stores() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{STORES}")
}

/// What the profile says of its access, once Azure has refused it.
fn access_of_boss(kubectl: &Kubectl<'_>) -> Option<String> {
    let profile = kubectl.json(&["--namespace", TEAM, "get", "podidentityprofile/boss"]);
    let conditions = profile["status"]["conditions"].as_array()?;
    let access = conditions
        .iter()
        .find(|condition| condition["type"] == "AccessReady")?;
    let refused = access["status"] == "False" && access["reason"] == "AuthorizationFailed";
    refused.then(|| access["message"].as_str().map(str::to_owned))?
}

/// How many tries to grant a role Azure itself has refused.
fn tries_refused(lab: &Lab) -> usize {
    let log = azure::admin(lab, "GET", "/calls?operation=arm.roleassignment.put");
    let calls = log["calls"].as_array().expect("calls").iter();
    calls.filter(|call| call["status"] == 403).count()
}

/// The names of all role assignments in Azure that make somebody an owner.
fn names_of_owners(lab: &Lab) -> Vec<String> {
    let state = azure::admin(lab, "GET", "/state");
    let all = state["roleAssignments"].as_array().expect("a list").iter();
    let owners = all.filter(|one| one["role"] == "Owner");
    owners
        .filter_map(|one| one["name"].as_str().map(str::to_owned))
        .collect()
}

fn id_of(name: &str) -> String {
    format!(
        "{}/providers/Microsoft.Authorization/roleAssignments/{name}",
        stores()
    )
}

async fn cannot_take_away_what_is_foreign(lab: &Lab) {
    let roles = ArmRoleAssignments::new(&azure::as_operator(lab));
    let refused: AzureError = roles.delete(&id_of(FOREIGN)).await.unwrap_err();
    assert_eq!(refused.status(), Some(403), "{refused}");
    assert_eq!(refused.code(), Some("AuthorizationFailed"), "{refused}");
}

/// The type of the principal decides where the role alone would not.
async fn grants_to_service_principals_only(lab: &Lab) {
    for (principal_type, status) in [
        (Some("User"), 403),
        (Some("Group"), 403),
        (None, 403),
        (Some("ServicePrincipal"), 201),
    ] {
        let answer = grants_as_operator(lab, principal_type).await;
        assert_eq!(answer, status, "{principal_type:?}");
    }
    let roles = ArmRoleAssignments::new(&azure::as_operator(lab));
    roles.delete(&id_of(NEW)).await.unwrap();
}

/// Grants a role of the class to the adopted identity. The client of podid sends one type of principal only, so this
/// is a request of its own.
async fn grants_as_operator(lab: &Lab, principal_type: Option<&str>) -> u16 {
    let arm = azure::as_operator(lab);
    let token = arm.credential().token(&arm.endpoints().arm_scope()).await;
    let bundle = std::fs::read(lab.dir().ca_bundle()).unwrap();
    let http = Client::builder()
        .tls_certs_only(Certificate::from_pem_bundle(&bundle).unwrap())
        .no_proxy()
        .build()
        .unwrap();
    let url = format!(
        "https://127.0.0.1:{}{}?api-version=2022-04-01",
        lab.endpoints().arm,
        id_of(NEW)
    );
    let body = json!({"properties": {
        "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{OF_THE_CLASS}"),
        "principalId": principal_of_adopted(lab),
        "principalType": principal_type,
    }});
    let request = http.put(url).bearer_auth(token.unwrap().secret().expose());
    request.json(&body).send().await.unwrap().status().as_u16()
}

fn principal_of_adopted(lab: &Lab) -> Value {
    let state = azure::admin(lab, "GET", "/state");
    let mut identities = state["identities"].as_array().expect("a list").iter();
    let adopted = |id: &str| id.ends_with("/userAssignedIdentities/adopted");
    let found = identities.find(|one| one["id"].as_str().is_some_and(adopted));
    found.expect("the adopted identity")["principalId"].clone()
}
