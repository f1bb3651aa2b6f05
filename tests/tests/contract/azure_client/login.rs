use std::path::Path;

use azure_sim::Operation;
use podid_azure::{
    Arm, ArmIdentities, AzureError, Credential, CredentialOptions, Endpoints, ErrorClass,
    Identities, Transport, TransportOptions,
};

use super::cloud::{Cloud, OPERATOR, PASSWORD, SUBJECT, id, password, workload_identity};

async fn read(arm: &Arm) -> Result<(), AzureError> {
    ArmIdentities::new(arm).get(&id("alpha")).await.map(drop)
}

#[tokio::test]
async fn a_password_is_exchanged_once_for_many_calls() {
    let cloud = Cloud::start().await;
    let arm = cloud.arm();
    for _ in 0..3 {
        read(&arm).await.unwrap();
    }
    assert_eq!(cloud.count(Operation::EntraToken), 1);
    assert_eq!(cloud.count(Operation::IdentityGet), 3);
}

#[tokio::test]
async fn a_wrong_password_is_named_as_such_and_not_tried_again() {
    let cloud = Cloud::start().await;
    let error = read(&cloud.arm_as(password(OPERATOR, "guess")))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("AADSTS7000215"));
    assert_eq!(error.class(), ErrorClass::Unauthenticated);
    assert_eq!(cloud.count(Operation::EntraToken), 1);
    assert_eq!(cloud.count(Operation::IdentityGet), 0);
}

#[tokio::test]
async fn an_application_that_is_gone_is_named_as_such() {
    let cloud = Cloud::start().await;
    let nobody = password("30000000-0000-4000-8000-00000000dead", PASSWORD);
    let error = read(&cloud.arm_as(nobody)).await.unwrap_err();
    assert_eq!(error.code(), Some("AADSTS700016"));
    assert!(
        error.next_step().contains("client id"),
        "{}",
        error.next_step()
    );
}

#[tokio::test]
async fn a_service_account_token_needs_no_password() {
    let cloud = Cloud::start().await;
    let token = cloud.service_account_token(SUBJECT);
    read(&cloud.arm_as(workload_identity(token.path())))
        .await
        .unwrap();
    assert_eq!(cloud.count(Operation::EntraToken), 1);
}

#[tokio::test]
async fn a_service_account_that_is_not_trusted_is_told_what_did_not_match() {
    let cloud = Cloud::start().await;
    let token = cloud.service_account_token("system:serviceaccount:default:default");
    let error = read(&cloud.arm_as(workload_identity(token.path())))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("AADSTS700213"));
    assert_eq!(error.class(), ErrorClass::Propagating);
    assert!(
        error.next_step().contains("subject"),
        "{}",
        error.next_step()
    );
    assert!(
        error
            .to_string()
            .contains("system:serviceaccount:default:default"),
        "{error}"
    );
}

#[test]
fn a_missing_token_file_is_found_before_the_first_call() {
    let endpoints = Endpoints::of(podid_azure::AzureCloud::Public);
    let transport = Transport::new(&TransportOptions::default()).unwrap();
    let options: CredentialOptions = workload_identity(Path::new("no/such/file"));
    let error = Credential::new(options, &endpoints, &transport).unwrap_err();
    assert!(matches!(
        error,
        AzureError::Credential {
            kind: "workload identity",
            ..
        }
    ));
}
