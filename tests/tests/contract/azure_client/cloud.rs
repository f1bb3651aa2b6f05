//! A pretend cloud and our client for it.

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::TcpListener,
    path::Path,
    sync::{Arc, LazyLock},
    time::SystemTime,
};

use azure_sim::{
    Application, AzureSim, DEFAULT_LOCATION, DEFAULT_SUBSCRIPTION, DEFAULT_TENANT,
    FederatedCredential, Identity, Instance, Issuer, Options, Place, RoleAssignment, ScaleSet,
    Secret as SimSecret, Seed, Service, VirtualMachine, VmIdentity,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use podid_azure::{
    Arm, ComputeTarget, Credential, CredentialOptions, Endpoints, IdentityId, Imds, ImdsOptions,
    OpenGate, ResourceGroupId, Secret, Transport, TransportOptions, UserAssignedIdentitySpec,
};
use serde_json::json;
use tempfile::NamedTempFile;

pub(super) const OPERATOR: &str = "30000000-0000-4000-8000-000000000001";
pub(super) const STRANGER: &str = "30000000-0000-4000-8000-000000000002";
pub(super) const PASSWORD: &str = "correct horse battery staple";
pub(super) const SUBJECT: &str = "system:serviceaccount:podid-system:podid-operator";
pub(super) const SCOPE: &str = "/subscriptions/20000000-0000-4000-8000-000000000001";
const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// The key with which the pretend cluster signs its service account tokens. One for all tests:
/// making one takes a while.
static CLUSTER_KEY: LazyLock<EncodingKey> = LazyLock::new(|| {
    let (algorithm, size) = (&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
    let key = rcgen::KeyPair::generate_rsa_for(algorithm, size).expect("an RSA key");
    EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()).expect("a PEM key")
});

/// A running simulator and what its clients need.
pub(super) struct Cloud {
    pub(super) sim: AzureSim,
    ca: NamedTempFile,
}

impl Cloud {
    pub(super) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// With other options than usual.
    pub(super) async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        // Tenfold: a wait of seven seconds takes one.
        let mut options = Options {
            seed: seed(),
            speed: 10.0,
            ..Options::default()
        };
        change(&mut options);
        let sim = AzureSim::start(options).await.expect("azure-sim starts");
        let mut ca = NamedTempFile::new().expect("a temporary file");
        ca.write_all(sim.ca_pem().as_bytes())
            .expect("the CA is written");
        Self { sim, ca }
    }

    /// A connection as the operator, with its password.
    pub(super) fn arm(&self) -> Arm {
        self.arm_as(password(OPERATOR, PASSWORD))
    }

    pub(super) fn arm_as(&self, options: CredentialOptions) -> Arm {
        let url = |service| format!("https://{}", self.sim.address(service).expect("a listener"));
        let endpoints = Endpoints::of(podid_azure::AzureCloud::Public);
        let endpoints = endpoints
            .with_arm(&url(Service::Arm))
            .expect("an https address");
        let endpoints = endpoints
            .with_authority(&url(Service::Entra))
            .expect("an https address");
        let extra_ca_file = Some(self.ca.path().to_owned());
        let transport = TransportOptions {
            extra_ca_file,
            ..TransportOptions::default()
        };
        let transport = Transport::new(&transport).expect("a transport");
        let credential = Credential::new(options, &endpoints, &transport).expect("a credential");
        Arm::new(endpoints, transport, credential, Arc::new(OpenGate))
    }

    /// The metadata service of an instance of the scale set.
    pub(super) fn imds(&self, instance: u32) -> Imds {
        let machine = format!("{}/virtualMachines/{instance}", pool());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = self
            .sim
            .serve_imds(&machine, listener)
            .expect("the machine exists");
        let base_url = format!("http://{address}");
        Imds::new(ImdsOptions {
            base_url,
            ..ImdsOptions::default()
        })
        .expect("an IMDS client")
    }

    /// A service account token in a file, as the kubelet projects it.
    pub(super) fn service_account_token(&self, subject: &str) -> NamedTempFile {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        let claims = json!({
            "iss": ISSUER, "sub": subject, "aud": [AUDIENCE],
            "iat": now.as_secs(), "nbf": now.as_secs(), "exp": now.as_secs() + 3600,
        });
        let header = Header {
            kid: Some("k1".to_owned()),
            ..Header::new(Algorithm::RS256)
        };
        let token = jsonwebtoken::encode(&header, &claims, &CLUSTER_KEY).expect("a signed token");
        let mut file = NamedTempFile::new().expect("a temporary file");
        file.write_all(token.as_bytes())
            .expect("the token is written");
        file
    }

    /// How often an operation was asked for.
    pub(super) fn count(&self, operation: azure_sim::Operation) -> u64 {
        self.sim
            .counters()
            .operations
            .get(operation.name())
            .copied()
            .unwrap_or_default()
    }
}

pub(super) fn password(client_id: &str, secret: &str) -> CredentialOptions {
    CredentialOptions::ClientSecret {
        tenant_id: DEFAULT_TENANT.to_owned(),
        client_id: client_id.to_owned(),
        secret: Secret::new(secret),
    }
}

pub(super) fn workload_identity(token_file: &Path) -> CredentialOptions {
    CredentialOptions::WorkloadIdentity {
        tenant_id: DEFAULT_TENANT.to_owned(),
        client_id: OPERATOR.to_owned(),
        token_file: token_file.to_owned(),
    }
}

pub(super) fn id(name: &str) -> IdentityId {
    IdentityId::new(DEFAULT_SUBSCRIPTION, "apps", name)
}

pub(super) fn spec() -> UserAssignedIdentitySpec {
    UserAssignedIdentitySpec {
        location: DEFAULT_LOCATION.to_owned(),
        tags: BTreeMap::new(),
    }
}

pub(super) fn nodes() -> ResourceGroupId {
    ResourceGroupId::new(DEFAULT_SUBSCRIPTION, "nodes")
}

pub(super) fn pool() -> ComputeTarget {
    ComputeTarget::ScaleSet {
        group: nodes(),
        name: "pool".to_owned(),
    }
}

pub(super) fn vm() -> ComputeTarget {
    ComputeTarget::Vm {
        group: nodes(),
        name: "lone".to_owned(),
    }
}

fn seed() -> Seed {
    let mut jwk = Jwk::from_encoding_key(&CLUSTER_KEY, Algorithm::RS256).expect("a public key");
    jwk.common.key_id = Some("k1".to_owned());
    let identity = |name: &str| Identity {
        name: name.to_owned(),
        place: Place::in_group("apps"),
        ..Identity::default()
    };
    Seed {
        identities: ["alpha", "beta", "gamma"].map(identity).into(),
        applications: vec![
            application("operator", OPERATOR),
            application("stranger", STRANGER),
        ],
        role_assignments: roles(),
        scale_sets: vec![ScaleSet {
            name: "pool".to_owned(),
            place: Place::in_group("nodes"),
            instances: vec![Instance::default(), Instance::default()],
            ..ScaleSet::default()
        }],
        virtual_machines: vec![VirtualMachine {
            name: "lone".to_owned(),
            place: Place::in_group("nodes"),
            identity: VmIdentity {
                system_assigned: true,
                user_assigned: Vec::new(),
            },
            ..VirtualMachine::default()
        }],
        issuers: vec![Issuer {
            issuer: ISSUER.to_owned(),
            jwks: Some(json!({ "keys": [jwk] })),
            ..Issuer::default()
        }],
        ..Seed::default()
    }
}

fn application(name: &str, client_id: &str) -> Application {
    Application {
        name: name.to_owned(),
        client_id: Some(client_id.to_owned()),
        secrets: vec![SimSecret {
            value: PASSWORD.into(),
            expires: None,
        }],
        federated_credentials: vec![FederatedCredential {
            name: "cluster".to_owned(),
            issuer: ISSUER.to_owned(),
            subject: SUBJECT.to_owned(),
            audiences: vec![AUDIENCE.to_owned()],
        }],
        ..Application::default()
    }
}

/// What the operator needs; the stranger may change machines but assign nothing to them.
fn roles() -> Vec<RoleAssignment> {
    let role = |principal: &str, role: &str| RoleAssignment {
        role: role.to_owned(),
        principal: principal.to_owned(),
        scope: SCOPE.to_owned(),
        ..RoleAssignment::default()
    };
    vec![
        role("operator", "Managed Identity Contributor"),
        role("operator", "Managed Identity Operator"),
        role("operator", "Virtual Machine Contributor"),
        role("operator", "Role Based Access Control Administrator"),
        role("stranger", "Virtual Machine Contributor"),
    ]
}
