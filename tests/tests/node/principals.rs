//! Service principals: their tokens come from (a simulated) Entra for the password or certificate in a Secret.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::OnceLock;

use azure_sim::{
    Application, AzureSim, Call, DEFAULT_TENANT, Options, Secret, Seed, Service, TlsListener,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use podid_lab::Network;
use podid_tests::node::{
    Answer, ApiServer, Daemon, Imds, Pod, TOKEN_URL, TestNode, azure_identity, binding, wait_until,
};
use serde_json::{Value, json};

use crate::scene::{Scene, nmi};

const CLIENT_ID: &str = "30000000-0000-4000-8000-000000000001";

/// An application's certificate and its key, in the forms that people have.
struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
        let key = key.unwrap();
        let params = rcgen::CertificateParams::new(vec!["app.example".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("tls.crt"), certificate.pem()).unwrap();
        fs::write(folder.path().join("tls.key"), key.serialize_pem()).unwrap();
        Self { folder }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }

    /// A PKCS#12 file with the password `pw`, as OpenSSL makes it.
    fn pkcs12(&self, flags: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(["pkcs12", "-export", "-in", "tls.crt", "-inkey", "tls.key"])
            .args(["-passout", "pass:pw", "-out", "app.pfx"])
            .args(flags)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        self.read("app.pfx")
    }
}

/// One for all tests: an RSA key takes its time.
fn certificate() -> &'static Certificate {
    static MADE: OnceLock<Certificate> = OnceLock::new();
    MADE.get_or_init(Certificate::make)
}

/// A node with a daemon that trusts a simulated Entra there.
struct Cloud {
    scene: Scene,
    entra: AzureSim,
    address: SocketAddr,
    _ca: tempfile::TempDir,
}

impl Cloud {
    /// Entra knows one application, with two passwords and a certificate.
    fn start() -> Self {
        let test_node = TestNode::start(Network::Bridge).unwrap();
        let api = ApiServer::start(&test_node).unwrap();
        let imds = Imds::start(&test_node).unwrap();
        let password = |text: &str| Secret {
            value: serde_json::from_value(json!(text)).unwrap(),
            ..Secret::default()
        };
        let pem = String::from_utf8(certificate().read("tls.crt")).unwrap();
        let application = Application {
            name: "app".into(),
            client_id: Some(CLIENT_ID.into()),
            secrets: vec![
                password("marker-of-the-first"),
                password("marker-of-the-second"),
            ],
            certificates: vec![pem],
            ..Application::default()
        };
        let options = Options {
            seed: Seed {
                applications: vec![application],
                ..Seed::default()
            },
            tls: vec![TlsListener {
                listener: test_node.listen((Ipv4Addr::LOCALHOST, 0)).unwrap(),
                service: Service::Entra,
            }],
            ..Options::default()
        };
        let entra = test_node.block_on(AzureSim::start(options)).unwrap();
        let address = entra.address(Service::Entra).unwrap();
        let ca = tempfile::tempdir().unwrap();
        let file = ca.path().join("ca.pem");
        fs::write(&file, entra.ca_pem()).unwrap();
        let flags = ["--ca-file", file.to_str().unwrap()];
        let daemon = Daemon::start(&nmi(), &test_node, &api, &flags).unwrap();
        let scene = Scene {
            daemon,
            api,
            imds,
            test_node,
        };
        let cloud = Self {
            scene,
            entra,
            address,
            _ca: ca,
        };
        cloud.allow(&["team"]);
        cloud
    }

    fn authority(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A class lets these namespaces use service principals of this Entra.
    fn allow(&self, namespaces: &[&str]) {
        self.scene.api.put(&json!({
            "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityClass",
            "metadata": {"name": "team"},
            "spec": {
                "clusterName": "c", "tenantId": DEFAULT_TENANT, "subscriptionId": DEFAULT_TENANT,
                "resourceGroup": "g", "location": "westeurope", "nodeResourceGroup": "n",
                "limits": {"servicePrincipals": {
                    "namespaces": namespaces, "authorities": [self.authority()],
                }},
            },
        }));
    }

    /// An AzureIdentity of this type with the Secret `sp`, changed by `change`.
    fn identity(&self, kind: u8, change: impl FnOnce(&mut Value)) {
        let mut identity = azure_identity("sp");
        identity["spec"] = json!({
            "type": kind, "clientID": CLIENT_ID, "tenantID": DEFAULT_TENANT,
            "clientPassword": {"name": "sp", "namespace": "team"},
            "adEndpoint": format!("{}/", self.authority()),
        });
        change(&mut identity);
        self.scene.api.put(&identity);
    }

    fn secret(&self, values: &[(&str, &[u8])]) {
        let data = values.iter().map(|(key, value)| {
            let value: Value = STANDARD.encode(value).into();
            ((*key).to_owned(), value)
        });
        let data: serde_json::Map<String, Value> = data.collect();
        self.scene.api.put(&json!({
            "apiVersion": "v1", "kind": "Secret", "data": data,
            "metadata": {"name": "sp", "namespace": "team"},
        }));
    }

    /// A pod that is bound to the AzureIdentity.
    fn pod(&self) -> Pod {
        let pod = self.scene.test_node.add_pod().unwrap();
        self.scene.api.put(&binding("sp", "sp"));
        self.scene.api.put(&pod.running("app", "sp"));
        wait_until("the pod is attested", || self.scene.attested() == 1);
        // Each kind comes by a watch of its own, in no order.
        wait_until("the daemon knows the identity and the class", || {
            let states = self.scene.identity_states("app");
            states.len() == 1
                && states[0] != "PrincipalNotAllowed"
                && states[0] != "IdentityMissing"
        });
        pod
    }

    fn asked(&self) -> Vec<Call> {
        self.entra.calls(None)
    }
}

/// A token that nobody has kept.
fn ask_anew(pod: &Pod, more: &str) -> Answer {
    let url = format!("{TOKEN_URL}&bypass_cache=true{more}");
    pod.curl(&["-H", "Metadata:true", &url])
}

/// What a token says about itself.
fn claims(answer: &Answer) -> Value {
    assert!(answer.token().is_some(), "{answer:?}");
    let token = answer.token().unwrap();
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
    serde_json::from_slice(&payload.unwrap()).unwrap()
}

#[test]
fn a_password_gives_tokens_that_are_kept_and_follows_a_rotation() {
    let cloud = Cloud::start();
    cloud.secret(&[("clientSecret", b"marker-of-the-first\n")]);
    cloud.identity(1, |_| ());
    let pod = cloud.pod();
    let answer = pod.ask();
    assert_eq!(claims(&answer)["appid"], CLIENT_ID, "{answer:?}");
    assert_eq!(claims(&answer)["aud"], "https://vault.azure.net");
    assert_eq!(answer.body["client_id"], CLIENT_ID);
    assert_eq!(answer.body["token_type"], "Bearer");
    for _ in 0..5 {
        assert_eq!(pod.ask().token(), answer.token());
    }
    assert_eq!(cloud.scene.api.secrets_read(), ["team/sp"], "once");
    assert_eq!(cloud.asked().len(), 1);
    assert!(
        cloud.scene.imds.client_ids().is_empty(),
        "no identity of the node"
    );
    cloud.secret(&[("clientSecret", b"marker-of-the-second")]);
    let rotated = ask_anew(&pod, "");
    assert_ne!(claims(&rotated), Value::Null);
    assert_ne!(rotated.token(), answer.token());
}

#[test]
fn a_wrong_password_is_said_so_and_nothing_stays_of_it() {
    let cloud = Cloud::start();
    cloud.secret(&[("clientSecret", b"marker-of-a-wrong-password")]);
    cloud.identity(1, |_| ());
    let pod = cloud.pod();
    let answer = pod.ask();
    assert_eq!((answer.status, answer.token()), (400, None), "{answer:?}");
    assert_eq!(answer.body["error"], "invalid_client");
    let said = answer.body["error_description"].as_str().unwrap();
    assert!(said.starts_with("AADSTS7000215"), "{said}");
    assert!(
        !said.contains("Trace ID"),
        "Events would never be equal: {said}"
    );
    wait_until("an Event says so", || {
        cloud
            .scene
            .has_event(&["EntraRefused", "AADSTS7000215", "team/sp"])
    });
    cloud.secret(&[("clientSecret", b"marker-of-the-first")]);
    assert_eq!(claims(&pod.ask())["appid"], CLIENT_ID);
    let status = cloud.scene.daemon.status(&nmi(), &["-o", "json"]).unwrap();
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    for text in [
        cloud.scene.daemon.log(),
        status,
        cloud.scene.api.events().concat(),
    ] {
        assert!(!text.contains("marker-of"), "{text}");
    }
}

#[test]
fn a_certificate_gives_tokens_in_each_of_its_forms() {
    let cloud = Cloud::start();
    let made = certificate();
    let (pem, key) = (made.read("tls.crt"), made.read("tls.key"));
    let both = [pem.clone(), key.clone()].concat();
    let (new, old) = (made.pkcs12(&[]), made.pkcs12(&["-legacy"]));
    cloud.secret(&[("tls.crt", &pem), ("tls.key", &key)]);
    cloud.identity(2, |_| ());
    let pod = cloud.pod();
    for values in [
        &[("tls.crt", &pem[..]), ("tls.key", &key)][..],
        &[("certificate", &both)],
        &[("certificate", &new), ("password", b"pw")],
        &[("certificate", &old), ("password", b"pw")],
    ] {
        cloud.secret(values);
        let answer = ask_anew(&pod, "");
        assert_eq!(claims(&answer)["appidacr"], "2", "{answer:?}");
    }
    cloud.secret(&[("certificate", &new), ("password", b"wrong")]);
    let answer = ask_anew(&pod, "");
    assert_eq!((answer.status, answer.token()), (400, None), "{answer:?}");
    let told = ["SecretNotUsable", "team/sp", "is the password right?"];
    wait_until("an Event says so", || cloud.scene.has_event(&told));
}

#[test]
fn nothing_is_read_or_sent_beyond_the_namespace_and_the_authorities() {
    let cloud = Cloud::start();
    cloud.secret(&[("clientSecret", b"marker-of-the-first")]);
    let elsewhere = |identity: &mut Value| {
        identity["spec"]["clientPassword"]["namespace"] = "other".into();
    };
    cloud.identity(1, elsewhere);
    let pod = cloud.pod();
    let refused = |outcome: &str| {
        wait_until(outcome, || {
            let answer = pod.ask();
            assert_eq!(answer.token(), None);
            answer.status == 400 && cloud.scene.daemon.log().contains(outcome)
        });
    };
    refused("ForeignSecret");
    cloud.identity(1, |identity| {
        identity["spec"]["adEndpoint"] = "https://127.0.0.1:9/".into();
    });
    refused("ForeignAuthority");
    cloud.identity(1, |identity| {
        identity["spec"]["clientPassword"]["name"] = "../../other/secrets/sp".into();
    });
    refused("MalformedPrincipal");
    cloud.identity(1, |_| ());
    cloud.allow(&["another"]);
    refused("PrincipalNotAllowed");
    assert!(cloud.scene.api.secrets_read().is_empty());
    assert!(cloud.asked().is_empty());
    cloud.allow(&["team"]);
    wait_until("what is allowed is served", || pod.ask().status == 200);
    cloud.allow(&[]);
    wait_until(
        "a kept token is not given once the class forbids it",
        || pod.ask().status == 400,
    );
}

#[test]
fn a_secret_without_a_role_or_that_is_not_there_yet_is_waited_for_by_the_sdk() {
    let cloud = Cloud::start();
    cloud.identity(1, |_| ());
    let pod = cloud.pod();
    assert_eq!(pod.ask().status, 503);
    wait_until("an Event says so", || {
        cloud.scene.has_event(&["SecretNotReadable", "create it"])
    });
    cloud.secret(&[("clientSecret", b"marker-of-the-first")]);
    cloud.scene.api.forbid_secrets(true);
    assert_eq!(pod.ask().status, 503);
    wait_until("an Event says so", || {
        cloud.scene.has_event(&["SecretNotReadable", "by a Role"])
    });
    cloud.scene.api.forbid_secrets(false);
    assert_eq!(pod.ask().status, 200);
}

#[test]
fn a_request_names_another_tenant_only_if_the_identity_has_it() {
    let cloud = Cloud::start();
    cloud.secret(&[("clientSecret", b"marker-of-the-first")]);
    let auxiliary = "10000000-0000-4000-8000-00000000000f";
    cloud.identity(1, |identity| {
        identity["spec"]["auxiliaryTenantIDs"] = json!([auxiliary]);
    });
    let pod = cloud.pod();
    let with_tenant = |tenant: &str| {
        let url = format!("{TOKEN_URL}&tenant_id={tenant}");
        pod.curl(&["-H", "Metadata:true", &url])
    };
    assert_eq!(pod.ask().status, 200);
    assert_eq!(with_tenant(DEFAULT_TENANT).token(), pod.ask().token());
    // The simulator has one tenant, and says of this one that it is not there.
    let answer = with_tenant(auxiliary);
    let said = answer.body["error_description"]
        .as_str()
        .unwrap_or_default();
    assert!(said.contains("AADSTS90002"), "{answer:?}");
    let asked = cloud.asked().len();
    let answer = with_tenant("common");
    assert_eq!((answer.status, answer.token()), (400, None));
    assert_eq!(cloud.asked().len(), asked);
}

/// Who writes an AzureIdentity with the client id of another, and with no password, gets none of its kept tokens.
#[test]
fn another_azure_identity_of_the_same_application_gets_no_kept_token() {
    let cloud = Cloud::start();
    cloud.secret(&[("clientSecret", b"marker-of-the-first")]);
    cloud.identity(1, |_| ());
    let pod = cloud.pod();
    assert_eq!(pod.ask().status, 200);
    let thief = cloud.scene.test_node.add_pod().unwrap();
    let mut stolen = azure_identity("stolen");
    stolen["spec"] = json!({
        "type": 1, "clientID": CLIENT_ID, "tenantID": DEFAULT_TENANT,
        "clientPassword": {"name": "missing"}, "adEndpoint": cloud.authority(),
    });
    cloud.scene.api.put(&stolen);
    cloud.scene.api.put(&binding("stolen", "thief"));
    cloud.scene.api.put(&thief.running("thief", "thief"));
    wait_until("the thief's own Secret is looked for", || {
        let answer = thief.ask();
        assert_eq!(answer.token(), None);
        answer.status == 503
    });
}
