//! Token requests with a certificate.

use azure_sim::{Options, Seed};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Header};
use serde_json::json;

use super::helpers::{Key, assert_with, error_of};
use crate::harness::{Lab, OPERATOR, TENANT};

#[tokio::test]
async fn a_registered_certificate_signs_for_its_application() {
    let key = Key::new();
    let mut seed = Seed::demo().unwrap();
    seed.applications[0].certificates.push(key.pem.clone());
    let lab = Lab::start(Options {
        seed,
        ..Options::default()
    })
    .await;
    let now = jiff::Timestamp::now().as_second();
    let endpoint = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let claims = json!({"aud": endpoint, "iss": OPERATOR.0, "sub": OPERATOR.0, "jti": "1", "nbf": now, "exp": now + 600});
    let digest = |algorithm| {
        aws_lc_rs::digest::digest(algorithm, key.cert.der())
            .as_ref()
            .to_vec()
    };
    let sha1 = digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    let sha256 = digest(&aws_lc_rs::digest::SHA256);

    // Both digests, in the alphabets that real clients use.
    let mut old = Header::new(Algorithm::RS256);
    old.x5t = Some(STANDARD.encode(&sha1));
    let mut new = Header::new(Algorithm::PS256);
    new.x5t_s256 = Some(URL_SAFE_NO_PAD.encode(&sha256));
    for header in [&old, &new] {
        let got = assert_with(&lab, OPERATOR.0, &key.sign(header, &claims)).await;
        assert_eq!(got.status, 200, "{}", got.text);
    }
    let stranger = Key::new();
    let forged = assert_with(&lab, OPERATOR.0, &stranger.sign(&old, &claims)).await;
    assert_eq!(error_of(&forged), (401, "invalid_client".into(), 700_027));
    new.x5t_s256 = Some(URL_SAFE_NO_PAD.encode([0_u8; 32]));
    let unknown = assert_with(&lab, OPERATOR.0, &key.sign(&new, &claims)).await;
    assert_eq!(error_of(&unknown).2, 700_027);
    assert!(unknown.text.contains("[Reason - The key was not found."));
    let mut late = claims.clone();
    late["exp"] = json!(now - 3600);
    assert_eq!(
        error_of(&assert_with(&lab, OPERATOR.0, &key.sign(&old, &late)).await).2,
        700_024
    );
    let mut elsewhere = claims;
    elsewhere["aud"] = json!("https://example.org/");
    assert_eq!(
        error_of(&assert_with(&lab, OPERATOR.0, &key.sign(&old, &elsewhere)).await).2,
        50_012
    );
}
