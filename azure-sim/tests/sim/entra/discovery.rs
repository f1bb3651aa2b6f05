//! Discovery documents and keys.

use jsonwebtoken::Algorithm;
use serde_json::Value;

use crate::harness::{ARM, Got, Lab, OPERATOR, TENANT};

#[tokio::test]
async fn discovery_leads_to_the_keys_that_sign() {
    let lab = Lab::demo().await;
    let login = "https://login.microsoftonline.com";
    let get = async |url: &str| {
        Got::of(lab.http.get(lab.url(url)).send().await.unwrap())
            .await
            .json()
    };
    let instance = get(&format!("{login}/common/discovery/instance?api-version=1.1&authorization_endpoint={login}/{TENANT}/oauth2/v2.0/authorize")).await;
    assert_eq!(
        instance["metadata"][0]["preferred_network"],
        "login.microsoftonline.com"
    );
    let configuration = get(instance["tenant_discovery_endpoint"].as_str().unwrap()).await;
    assert_eq!(configuration["issuer"], format!("{login}/{TENANT}/v2.0"));
    let v1 = get(&format!(
        "{login}/{TENANT}/.well-known/openid-configuration"
    ))
    .await;
    assert_eq!(v1["issuer"], format!("https://sts.windows.net/{TENANT}/"));

    let keys = get(configuration["jwks_uri"].as_str().unwrap()).await;
    let token = lab.token(OPERATOR, ARM).await;
    let header = jsonwebtoken::decode_header(&token).unwrap();
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(keys).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(set.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut checks = jsonwebtoken::Validation::new(Algorithm::RS256);
    checks.set_audience(&[ARM]);
    checks.set_issuer(&[format!("https://sts.windows.net/{TENANT}/")]);
    jsonwebtoken::decode::<Value>(&token, &key, &checks).unwrap();
}
