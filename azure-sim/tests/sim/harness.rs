//! A simulator of the demo seed and a client that finds Azure's real names at it.

use std::net::{SocketAddr, TcpListener};

use azure_sim::{AzureSim, DEFAULT_SUBSCRIPTION, DEFAULT_TENANT, Options, Seed, Service};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

pub(crate) const SUB: &str = DEFAULT_SUBSCRIPTION;
pub(crate) const TENANT: &str = DEFAULT_TENANT;
pub(crate) const OPERATOR: (&str, &str) =
    ("30000000-0000-4000-8000-000000000001", "operator-secret");
pub(crate) const NOBODY: (&str, &str) = ("30000000-0000-4000-8000-000000000002", "nobody-secret");
pub(crate) const ARM: &str = "https://management.azure.com";
pub(crate) const VAULT: &str = "https://vault.azure.net";
pub(crate) const STORAGE: &str = "https://storage.azure.com/";

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self {
            status,
            headers,
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e} in {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// Status and error code, the two things clients go by.
    pub(crate) fn error(&self) -> (u16, String) {
        (
            self.status,
            self.json()["error"]["code"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    }
}

pub(crate) struct Lab {
    pub(crate) sim: AzureSim,
    pub(crate) http: Client,
}

impl Lab {
    pub(crate) async fn demo() -> Self {
        Self::start(Options {
            seed: Seed::demo().unwrap(),
            ..Options::default()
        })
        .await
    }

    /// A demo cloud in which a change of a VM or scale set ends at once.
    pub(crate) async fn quick() -> Self {
        let seed = Seed::demo().unwrap();
        Self::start(Options {
            seed,
            compute_seconds: 0.0,
            ..Options::default()
        })
        .await
    }

    pub(crate) async fn start(options: Options) -> Self {
        let sim = AzureSim::start(options).await.unwrap();
        let at = sim.address(Service::Arm).unwrap();
        let root = reqwest::Certificate::from_pem(sim.ca_pem().as_bytes()).unwrap();
        let hosts = [
            "management.azure.com",
            "login.microsoftonline.com",
            "demovault.vault.azure.net",
            "demostore.blob.core.windows.net",
        ];
        let builder = Client::builder().tls_certs_only([root]).no_proxy();
        let http = hosts
            .iter()
            .fold(builder, |b, host| b.resolve(host, at))
            .build()
            .unwrap();
        Self { sim, http }
    }

    /// A URL with the simulator's port: the client resolves host names to it, but not ports.
    pub(crate) fn url(&self, address: &str) -> String {
        let port = self.sim.address(Service::Arm).unwrap().port();
        let mut url = reqwest::Url::parse(address).unwrap();
        if url.port().is_none() {
            url.set_port(Some(port)).unwrap();
        }
        url.to_string()
    }

    /// Posts a form to the v2 token endpoint.
    pub(crate) async fn token_request(&self, form: &[(&str, &str)]) -> Got {
        let url = self.url(&format!(
            "https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"
        ));
        Got::of(self.http.post(url).form(form).send().await.unwrap()).await
    }

    pub(crate) async fn token(&self, (id, secret): (&str, &str), resource: &str) -> String {
        let scope = format!("{resource}/.default");
        let got = self
            .token_request(&[
                ("grant_type", "client_credentials"),
                ("client_id", id),
                ("client_secret", secret),
                ("scope", &scope),
            ])
            .await;
        assert_eq!(got.status, 200, "{}", got.text);
        got.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn arm_as(&self, who: (&str, &str)) -> Arm<'_> {
        Arm {
            lab: self,
            token: self.token(who, &format!("{ARM}/")).await,
        }
    }

    /// ARM with the demo's operator.
    pub(crate) async fn arm(&self) -> Arm<'_> {
        self.arm_as(OPERATOR).await
    }

    /// Serves the metadata service of a VM on a free loopback port.
    pub(crate) fn imds(&self, vm: &str) -> Imds<'_> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Imds {
            lab: self,
            at: self.sim.serve_imds(vm, listener).unwrap(),
        }
    }

    /// The object id of an application of the seed.
    pub(crate) fn object_id(&self, application: &str) -> String {
        let state = self.sim.state();
        let apps = state["applications"].as_array().unwrap();
        let app = apps.iter().find(|a| a["name"] == application).unwrap();
        app["objectId"].as_str().unwrap().to_owned()
    }
}

pub(crate) struct Arm<'a> {
    lab: &'a Lab,
    token: String,
}

impl<'a> Arm<'a> {
    /// The same with another token.
    pub(crate) fn with_token(&self, token: impl Into<String>) -> Arm<'a> {
        Arm {
            lab: self.lab,
            token: token.into(),
        }
    }

    /// A request to a path, or to a full address as ARM gave it.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("https:") {
            path.to_owned()
        } else {
            self.lab.url(&format!("{ARM}{path}"))
        };
        self.lab.http.request(method, url).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        Got::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Got {
        Got::of(self.request(Method::DELETE, path).send().await.unwrap()).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Got {
        Got::of(
            self.request(Method::PUT, path)
                .json(&body)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Got {
        Got::of(
            self.request(Method::PATCH, path)
                .json(&body)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// Makes an identity in the demo's group and returns its body.
    pub(crate) async fn make_identity(&self, name: &str) -> Value {
        let got = self
            .put(&identity(name), json!({"location": "westeurope"}))
            .await;
        assert_eq!(got.status, 201, "{}", got.text);
        got.json()
    }
}

pub(crate) struct Imds<'a> {
    lab: &'a Lab,
    pub(crate) at: SocketAddr,
}

impl Imds<'_> {
    pub(crate) fn request(&self, path: &str) -> RequestBuilder {
        self.lab.http.get(format!("http://{}{path}", self.at))
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        Got::of(
            self.request(path)
                .header("Metadata", "true")
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// Asks for a vault token with more query.
    pub(crate) async fn token(&self, query: &str) -> Got {
        self.get(&format!(
            "/metadata/identity/oauth2/token?api-version=2018-02-01&resource={VAULT}{query}"
        ))
        .await
    }
}

/// Path of an identity in the demo's group, with its api-version.
pub(crate) fn identity(name: &str) -> String {
    format!("{}?api-version=2023-01-31", identity_id(name))
}

pub(crate) fn identity_id(name: &str) -> String {
    format!(
        "/subscriptions/{SUB}/resourceGroups/podid/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    )
}

pub(crate) fn pool() -> String {
    format!(
        "/subscriptions/{SUB}/resourceGroups/nodes/providers/Microsoft.Compute/virtualMachineScaleSets/pool1"
    )
}

pub(crate) fn instance(n: u32) -> String {
    format!("{}/virtualMachines/{n}", pool())
}

pub(crate) fn vm1() -> String {
    format!(
        "/subscriptions/{SUB}/resourceGroups/nodes/providers/Microsoft.Compute/virtualMachines/vm1"
    )
}

/// The claims of a token, unchecked.
pub(crate) fn claims(token: &str) -> Value {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
