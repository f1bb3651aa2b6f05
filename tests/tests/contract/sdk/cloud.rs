//! A pretend cloud, and scripts that find it under Azure's own names.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use azure_sim::{
    AzureSim, DEFAULT_SUBSCRIPTION, DEFAULT_TENANT, FederatedCredential, Issuer, Options,
    RoleAssignment, Seed, Service,
};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use podid_tests::{programs, python};
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

pub(super) const OPERATOR: &str = "30000000-0000-4000-8000-000000000001";
const SECRET: &str = "operator-secret";
const ISSUER: &str = "https://issuer.example/cluster/";
const SUBJECT: &str = "system:serviceaccount:podid-system:podid-operator";
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// An SDK is imported and has some dozen calls to make.
const PATIENCE: Duration = Duration::from_secs(120);

/// The demo seed, in which the operator may also prove itself by certificate and by a cluster's
/// token, and the identity `demo` may also list blobs.
pub(super) struct Cloud {
    pub(super) sim: AzureSim,
    config: Map<String, Value>,
    ca: NamedTempFile,
    _assertion: NamedTempFile,
}

impl Cloud {
    pub(super) async fn start() -> Self {
        let key =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)
                .expect("an RSA key");
        let certificate = rcgen::CertificateParams::default()
            .self_signed(&key)
            .expect("a certificate");
        let signing = EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()).expect("a PEM key");
        let seed = seed(&certificate.pem(), &signing);
        let options = Options {
            seed,
            speed: 10.0,
            ..Options::default()
        };
        let sim = AzureSim::start(options).await.expect("azure-sim starts");
        let imds = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let imds = sim
            .serve_imds(&instance(), imds)
            .expect("the machine is there")
            .port();
        let assertion = assertion(&signing);
        let assertion_file = file(&assertion);
        let config = config(
            &sim,
            imds,
            &[
                (
                    "certificate",
                    json!(certificate.pem() + &key.serialize_pem()),
                ),
                ("assertion", json!(assertion)),
                ("assertion_file", json!(assertion_file.path())),
            ],
        );
        let ca = file(sim.ca_pem());
        Self {
            sim,
            config,
            ca,
            _assertion: assertion_file,
        }
    }

    /// Runs a script of `tests/python/` and returns what it reports.
    pub(super) async fn run(&self, script: &str) -> Value {
        let mut child = tokio::process::Command::new(python::required())
            .arg(programs::repository().join("tests/python").join(script))
            .env_clear()
            .env("REQUESTS_CA_BUNDLE", self.ca.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python starts");
        let mut input = child.stdin.take().expect("a pipe");
        input
            .write_all(json!(self.config).to_string().as_bytes())
            .await
            .expect("Python reads");
        drop(input);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
            .await
            .unwrap_or_else(|_| panic!("{script} has not ended within {PATIENCE:?}"))
            .expect("Python ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script} failed:\n{said}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{script}: {e}\n{said}"))
    }

    /// The same with another client and its secret.
    pub(super) fn with_client(mut self, client: &str, secret: &str) -> Self {
        self.config.insert("client".into(), json!(client));
        self.config.insert("secret".into(), json!(secret));
        self
    }
}

fn seed(certificate: &str, signing: &EncodingKey) -> Seed {
    let mut seed = Seed::demo().expect("the demo seed");
    let trust = FederatedCredential {
        name: "cluster".into(),
        issuer: ISSUER.into(),
        subject: SUBJECT.into(),
        audiences: vec![AUDIENCE.into()],
    };
    seed.applications[0].certificates.push(certificate.into());
    seed.applications[0]
        .federated_credentials
        .push(trust.clone());
    seed.identities[0].federated_credentials.push(trust);
    let mut jwk = json!(Jwk::from_encoding_key(signing, Algorithm::RS256).expect("a public key"));
    jwk["kid"] = json!("cluster");
    let jwks = Some(json!({"keys": [jwk]}));
    seed.issuers.push(Issuer {
        issuer: ISSUER.into(),
        jwks,
        ..Issuer::default()
    });
    seed.role_assignments.push(RoleAssignment {
        role: "Storage Blob Data Reader".into(),
        principal: "demo".into(),
        ..RoleAssignment::default()
    });
    seed
}

/// A token as the cluster gives its service accounts.
fn assertion(signing: &EncodingKey) -> String {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some("cluster".into());
    let now = jsonwebtoken::get_current_timestamp();
    let claims =
        json!({"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "nbf": now, "exp": now + 3600});
    jsonwebtoken::encode(&header, &claims, signing).expect("a signature")
}

fn config(sim: &AzureSim, imds: u16, proofs: &[(&str, Value)]) -> Map<String, Value> {
    let tls = sim.address(Service::Arm).expect("a listener").port();
    let hosts = [
        "management.azure.com",
        "login.microsoftonline.com",
        "demovault.vault.azure.net",
        "demostore.blob.core.windows.net",
    ];
    let mut routes: Map<String, Value> = hosts
        .iter()
        .map(|host| (format!("{host}:443"), json!(tls)))
        .collect();
    routes.insert("169.254.169.254:80".into(), json!(imds));
    let state = sim.state();
    let nobody = state["applications"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|a| a["name"] == "nobody");
    let known = [
        ("routes", Value::Object(routes)),
        ("tenant", json!(DEFAULT_TENANT)),
        ("subscription", json!(DEFAULT_SUBSCRIPTION)),
        ("client", json!(OPERATOR)),
        ("secret", json!(SECRET)),
        ("demo", state["identities"][0].clone()),
        (
            "principal",
            nobody.expect("it is in the demo seed")["objectId"].clone(),
        ),
    ];
    let all = known.iter().chain(proofs);
    all.map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn instance() -> String {
    format!(
        "/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/nodes/providers/Microsoft.Compute/virtualMachineScaleSets/pool1/virtualMachines/0"
    )
}

fn file(content: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(content.as_bytes()).expect("it is written");
    file
}
