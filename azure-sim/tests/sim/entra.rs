//! Token endpoints and discovery documents.

use azure_sim::{
    Application, Effect, Fault, FederatedCredential, Issuer, Operation, Options, Secret, Seed,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::{ARM, Got, Lab, OPERATOR, TENANT, VAULT, claims, identity_id};

const ISSUER: &str = "https://issuer.example/cluster/";
const SUBJECT: &str = "system:serviceaccount:podid-system:podid-operator";
const AUDIENCE: &str = "api://AzureADTokenExchange";
const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An RSA key and everything made from it.
struct Key {
    pem: String,
    cert: rcgen::Certificate,
    encoding: EncodingKey,
}

impl Key {
    fn new() -> Self {
        let pair =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)
                .unwrap();
        let cert = rcgen::CertificateParams::default()
            .self_signed(&pair)
            .unwrap();
        let encoding = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self {
            pem: cert.pem(),
            cert,
            encoding,
        }
    }

    fn key_set(&self, kid: &str) -> Value {
        let mut jwk = json!(Jwk::from_encoding_key(&self.encoding, Algorithm::RS256).unwrap());
        jwk["kid"] = json!(kid);
        json!({"keys": [jwk]})
    }

    fn sign(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.encoding).unwrap()
    }

    fn external(&self, kid: &str, change: Value) -> String {
        let now = jiff::Timestamp::now().as_second();
        let mut claims = json!({"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "nbf": now - 1, "exp": now + 600});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(kid.into());
        self.sign(&header, &claims)
    }
}

fn error_of(got: &Got) -> (u16, String, u64) {
    let body = got.json();
    let number = body["error_codes"][0].as_u64().unwrap();
    let description = body["error_description"].as_str().unwrap();
    assert!(
        description.starts_with(&format!("AADSTS{number}: ")),
        "{description}"
    );
    for part in ["Trace ID: ", "Correlation ID: ", "Timestamp: "] {
        assert!(description.contains(part), "{description}");
    }
    assert_eq!(
        body["error_uri"],
        format!("https://login.microsoftonline.com/error?code={number}")
    );
    (
        got.status,
        body["error"].as_str().unwrap().to_owned(),
        number,
    )
}

async fn assert_with(lab: &Lab, client: &str, assertion: &str) -> Got {
    lab.token_request(&[
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_assertion_type", KIND),
        ("client_assertion", assertion),
        ("scope", "https://management.azure.com//.default"),
    ])
    .await
}

#[tokio::test]
async fn a_secret_gets_a_token_at_v1_and_v2_endpoints() {
    let lab = Lab::demo().await;
    let secret = [
        ("grant_type", "client_credentials"),
        ("client_id", OPERATOR.0),
        ("client_secret", OPERATOR.1),
    ];
    let v2 = lab
        .token_request(
            &[
                &secret[..],
                &[("scope", "https://vault.azure.net/.default")],
            ]
            .concat(),
        )
        .await;
    let body = v2.json();
    assert!(
        (3600..=5400).contains(&body["expires_in"].as_i64().unwrap()),
        "{body}"
    );
    let token = claims(body["access_token"].as_str().unwrap());
    assert_eq!(
        (&token["aud"], &token["appid"], &token["appidacr"]),
        (&json!(VAULT), &json!(OPERATOR.0), &json!("1"))
    );
    assert_eq!(token["oid"], lab.object_id("operator"));
    assert_eq!(v2.header("cache-control"), "no-store, no-cache");

    let url = lab.url(&format!(
        "https://login.microsoftonline.com/{TENANT}/oauth2/token"
    ));
    let form = [
        &secret[..1],
        &[("resource", "https://management.azure.com/")],
    ]
    .concat();
    let v1 = lab
        .http
        .post(url)
        .basic_auth(OPERATOR.0, Some(OPERATOR.1))
        .form(&form)
        .send()
        .await
        .unwrap();
    let body = Got::of(v1).await.json();
    assert!(
        body["expires_in"].is_string() && body["expires_on"].is_string(),
        "{body}"
    );
    assert_eq!(
        claims(body["access_token"].as_str().unwrap())["aud"],
        "https://management.azure.com/"
    );
}

#[tokio::test]
async fn each_invalid_token_request_has_its_error_number() {
    let mut seed = Seed::demo().unwrap();
    seed.applications.push(Application {
        name: "stale".into(),
        client_id: Some("30000000-0000-4000-8000-00000000000f".into()),
        secrets: vec![Secret {
            value: "old".into(),
            expires: Some("2020-01-01T00:00:00Z".parse().unwrap()),
        }],
        ..Application::default()
    });
    let lab = Lab::start(Options {
        seed,
        ..Options::default()
    })
    .await;
    let arm = "https://management.azure.com/.default";
    let ask = async |id: &str, secret: &str, scope: &str, grant: &str| {
        let form = [
            ("grant_type", grant),
            ("client_id", id),
            ("client_secret", secret),
            ("scope", scope),
        ];
        error_of(&lab.token_request(&form).await)
    };
    let (id, secret) = OPERATOR;
    let invalid_client = || "invalid_client".to_owned();
    assert_eq!(
        ask(id, "wrong", arm, "client_credentials").await,
        (401, invalid_client(), 7_000_215)
    );
    assert_eq!(
        ask(id, "", arm, "client_credentials").await,
        (401, invalid_client(), 7_000_218)
    );
    let stale = "30000000-0000-4000-8000-00000000000f";
    assert_eq!(
        ask(stale, "old", arm, "client_credentials").await,
        (401, invalid_client(), 7_000_222)
    );
    assert_eq!(
        ask(TENANT, "x", arm, "client_credentials").await,
        (400, "unauthorized_client".into(), 700_016)
    );
    let scope = "https://management.azure.com/user_impersonation";
    assert_eq!(
        ask(id, secret, scope, "client_credentials").await,
        (400, "invalid_scope".into(), 1_002_012)
    );
    let two = format!("{arm} https://vault.azure.net/.default");
    assert_eq!(
        ask(id, secret, &two, "client_credentials").await,
        (400, "invalid_scope".into(), 70_011)
    );
    let odd = "https://nothing.example/.default";
    assert_eq!(
        ask(id, secret, odd, "client_credentials").await,
        (400, "invalid_resource".into(), 500_011)
    );
    assert_eq!(
        ask(id, secret, arm, "password").await,
        (400, "unsupported_grant_type".into(), 70_003)
    );
    for (tenant, expected) in [
        ("nowhere.example", 90_002),
        (OPERATOR.0, 90_002),
        ("nowhere", 900_023),
    ] {
        let url = lab.url(&format!(
            "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
        ));
        let got = Got::of(lab.http.post(url).form(&[("a", "b")]).send().await.unwrap()).await;
        assert_eq!(error_of(&got).2, expected, "{tenant}");
    }
}

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

/// A cloud in which the operator and the identity `demo` trust an issuer.
async fn federated(issuer: Issuer) -> (Lab, String) {
    let mut seed = Seed::demo().unwrap();
    let trust = FederatedCredential {
        name: "cluster".into(),
        issuer: issuer.issuer.clone(),
        subject: SUBJECT.into(),
        audiences: vec![AUDIENCE.into()],
    };
    seed.applications[0]
        .federated_credentials
        .push(trust.clone());
    seed.identities[0].federated_credentials.push(trust);
    seed.issuers.push(issuer);
    let lab = Lab::start(Options {
        seed,
        ..Options::default()
    })
    .await;
    let demo = lab.sim.state()["identities"][0]["clientId"]
        .as_str()
        .unwrap()
        .to_owned();
    (lab, demo)
}

fn issuer(keys: Value) -> Issuer {
    Issuer {
        issuer: ISSUER.into(),
        jwks: Some(keys),
        ..Issuer::default()
    }
}

#[tokio::test]
async fn a_trusted_issuers_token_stands_for_an_application_or_an_identity() {
    let key = Key::new();
    let (lab, demo) = federated(issuer(key.key_set("k1"))).await;
    let token = key.external("k1", json!({}));
    for client in [OPERATOR.0, &demo] {
        let got = assert_with(&lab, client, &token).await;
        assert_eq!(got.status, 200, "{}", got.text);
        let claims = claims(got.json()["access_token"].as_str().unwrap());
        assert_eq!(
            (&claims["appid"], &claims["aud"]),
            (&json!(client), &json!(format!("{ARM}/")))
        );
        assert_eq!(claims["xms_mirid"].is_string(), client == demo);
    }
}

#[tokio::test]
async fn a_token_that_does_not_match_is_refused_by_what_is_wrong_with_it() {
    let key = Key::new();
    let (lab, demo) = federated(issuer(key.key_set("k1"))).await;
    let now = jiff::Timestamp::now().as_second();
    for (change, number) in [
        (json!({"iss": "https://issuer.example/cluster"}), 700_211),
        (json!({"aud": "api://other"}), 700_212),
        (
            json!({"sub": "System:serviceaccount:podid-system:podid-operator"}),
            700_213,
        ),
        (json!({"exp": now - 3600}), 700_024),
        (json!({"nbf": now + 3600}), 700_024),
    ] {
        let got = assert_with(&lab, &demo, &key.external("k1", change.clone())).await;
        assert_eq!(
            error_of(&got),
            (401, "invalid_client".into(), number),
            "{change}"
        );
    }
    let unknown = assert_with(&lab, &demo, &key.external("k2", json!({}))).await;
    assert_eq!(error_of(&unknown).2, 7_000_272);
    let forged = assert_with(&lab, &demo, &Key::new().external("k1", json!({}))).await;
    assert_eq!(error_of(&forged).2, 50_013);
    assert_eq!(
        error_of(&assert_with(&lab, &demo, "no.token").await).2,
        50_027
    );
}

#[tokio::test]
async fn an_issuer_is_asked_for_its_keys_or_reported_unreachable() {
    let lab = Lab::demo().await;
    // The simulator's own Entra serves as a real issuer over TLS: discovery, then keys.
    let entra = lab.sim.address(azure_sim::Service::Entra).unwrap();
    let name = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let there = Issuer {
        issuer: name.clone(),
        discovery_url: Some(format!("https://{entra}/{TENANT}/v2.0")),
        ca: Some(lab.sim.ca_pem().to_owned()),
        ..Issuer::default()
    };
    let (exchange, demo) = federated(there).await;
    let stranger = Key::new().external("k1", json!({"iss": name}));
    let got = assert_with(&exchange, &demo, &stranger).await;
    assert_eq!(
        error_of(&got).2,
        7_000_272,
        "the keys were fetched, and none is the token's"
    );
    assert_eq!(lab.sim.counters().operations["entra.configuration"], 1);
    assert_eq!(lab.sim.counters().operations["entra.keys"], 1);

    let nobody = Issuer {
        issuer: ISSUER.into(),
        discovery_url: Some("https://127.0.0.1:1/".into()),
        ..Issuer::default()
    };
    let (exchange, demo) = federated(nobody).await;
    let got = assert_with(&exchange, &demo, &Key::new().external("k1", json!({}))).await;
    assert_eq!(error_of(&got), (400, "invalid_request".into(), 50_166));
}

#[tokio::test]
async fn a_credential_written_through_arm_is_effective() {
    let key = Key::new();
    let lab = Lab::demo().await;
    let seed = Seed {
        issuers: vec![issuer(key.key_set("k1"))],
        ..Seed::default()
    };
    lab.sim.merge_seed(&seed).unwrap();
    let arm = lab.arm().await;
    let made = arm.make_identity("web").await;
    let client = made["properties"]["clientId"].as_str().unwrap();
    let token = key.external("k1", json!({}));
    assert_eq!(
        error_of(&assert_with(&lab, client, &token).await).2,
        700_211
    );
    let path = format!(
        "{}/federatedIdentityCredentials/cluster?api-version=2023-01-31",
        identity_id("web")
    );
    let body =
        json!({"properties": {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}});
    assert_eq!(arm.put(&path, body).await.status, 201);
    let lag = Effect::Lag {
        seconds: None,
        calls: Some(1),
        spare_typed: false,
    };
    lab.sim.arm_fault(Fault::new(Operation::EntraToken, lag));
    assert_eq!(
        error_of(&assert_with(&lab, client, &token).await).2,
        700_213,
        "not everywhere yet"
    );
    assert_eq!(assert_with(&lab, client, &token).await.status, 200);
    arm.delete(&crate::harness::identity("web")).await;
    let deleted = assert_with(&lab, client, &token).await;
    assert_eq!(
        error_of(&deleted),
        (400, "unauthorized_client".into(), 700_016)
    );
}

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
