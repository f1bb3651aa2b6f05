use azure_sim::Operation;
use podid_azure::{
    ArmCompute, ArmIdentities, ClientHeaders, Compute, ComputeIdentity, Identities, IdentityPatch,
    Imds, ImdsError, ImdsIdentity, ImdsToken, ImdsTokenRequest, ImdsTokens,
};

use super::cloud::{Cloud, id, pool};

/// Puts an identity on the scale set and returns its client id.
pub(super) async fn assign(cloud: &Cloud, name: &str) -> String {
    let arm = cloud.arm();
    let identity = ArmIdentities::new(&arm)
        .get(&id(name))
        .await
        .unwrap()
        .unwrap();
    let patch = IdentityPatch::new(&ComputeIdentity::default(), [id(name)], []);
    ArmCompute::new(&arm)
        .patch_identity(&pool(), &patch, None)
        .await
        .unwrap();
    identity.client_id
}

pub(super) async fn token(imds: &Imds, client_id: &str) -> Result<ImdsToken, ImdsError> {
    let request = ImdsTokenRequest {
        identity: ImdsIdentity::ClientId(client_id.to_owned()),
        resource: "https://vault.azure.net/".to_owned(),
        headers: ClientHeaders::default(),
        bypass_cache: false,
    };
    imds.token(&request).await
}

#[tokio::test]
async fn an_assigned_identity_gets_a_token_on_every_instance() {
    let cloud = Cloud::start().await;
    let client_id = assign(&cloud, "alpha").await;
    for instance in [0, 1] {
        let token = token(&cloud.imds(instance), &client_id).await.unwrap();
        assert_eq!(token.client_id, client_id);
        assert_eq!(
            token.resource, "https://vault.azure.net/",
            "the slash is kept"
        );
        assert_eq!(token.token_type, "Bearer");
        assert_eq!(token.access_token.expose().split('.').count(), 3);
        assert!(token.expires_in > 300 && token.expires_on > token.not_before.unwrap());
    }
    assert_eq!(cloud.count(Operation::ImdsToken), 2);
}

#[tokio::test]
async fn an_identity_that_is_not_on_the_machine_is_refused() {
    let cloud = Cloud::start().await;
    assign(&cloud, "alpha").await;
    let identities = ArmIdentities::new(&cloud.arm());
    let other = identities
        .get(&id("beta"))
        .await
        .unwrap()
        .unwrap()
        .client_id;
    let error = token(&cloud.imds(0), &other).await.unwrap_err();
    assert!(error.is_identity_not_found(), "{error:?}");
    let ImdsError::Refused {
        status,
        error,
        description,
        ..
    } = error
    else {
        panic!("not a refusal");
    };
    assert_eq!((status, error.as_str()), (400, "invalid_request"));
    assert_eq!(description, "Identity not found");
}
