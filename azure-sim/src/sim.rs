//! A running simulator, as a value.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::arm::Buckets;
use crate::calls::{Call, CallLog, Counters};
use crate::clock::Clock;
use crate::faults::{ArmedFault, Fault, FaultBook, Preset};
use crate::operation::{OperationPattern, UnknownOperation};
use crate::router::Endpoint;
use crate::server;
use crate::state::State;
use crate::tls::{CertificateAuthority, TlsError};
use crate::tokens::{Signer, SignerError};
use crate::world::{World, WorldError};

/// What a TLS listener serves to a client that names no Azure host (an address, `localhost`).
/// A request for an Azure host reaches that host's service on every listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Azure Resource Manager.
    Arm,
    /// Entra ID.
    Entra,
    /// Key Vault and Storage; these need the real host name to know which one is meant.
    Data,
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Arm => "arm",
            Self::Entra => "entra",
            Self::Data => "data",
        })
    }
}

/// A bound socket to serve TLS on.
#[derive(Debug)]
pub struct TlsListener {
    /// Bound by the caller, in the network namespace of the caller's choice.
    pub listener: TcpListener,
    /// Served to clients that name no Azure host.
    pub service: Service,
}

/// How a simulator is started.
#[derive(Debug)]
pub struct Options {
    /// What exists at first.
    pub world: World,
    /// How much faster than the wall spans of time pass.
    pub speed: f64,
    /// Source of every chance: identifiers, token lifetimes, faults.
    pub seed: u64,
    /// How long a change of a machine or scale set runs, in Azure's seconds.
    pub compute_seconds: f64,
    /// Items per page of a list.
    pub page_size: usize,
    /// Sockets for ARM, Entra and data. Empty: one each on a free loopback port.
    pub tls: Vec<TlsListener>,
    /// Socket for the admin API; a free loopback port if absent. It has no authentication: keep
    /// it on loopback.
    pub admin: Option<TcpListener>,
    /// Certificate authority; a new one if absent.
    pub ca: Option<CertificateAuthority>,
    /// Lifetime of the certificates made here.
    pub ca_lifetime: Duration,
    /// Names and addresses in the server certificate beyond Azure's and loopback.
    pub extra_names: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            world: World::default(),
            speed: 1.0,
            seed: 1,
            compute_seconds: 2.0,
            page_size: 100,
            tls: Vec::new(),
            admin: None,
            ca: None,
            ca_lifetime: Duration::from_secs(30 * 86_400),
            extra_names: Vec::new(),
        }
    }
}

/// Why a simulator cannot start, or cannot do what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A socket cannot be bound or taken over.
    #[error("cannot listen on {what}")]
    Listen {
        /// Which socket.
        what: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The certificates cannot be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The token signing key cannot be made.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The world contradicts itself.
    #[error(transparent)]
    World(#[from] WorldError),
    /// There is no such machine.
    #[error("no virtual machine or scale set instance `{0}` in this world; add it first")]
    UnknownMachine(String),
    /// A fault aims at nothing.
    #[error(transparent)]
    UnknownOperation(#[from] UnknownOperation),
}

/// What all services of one simulator share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) page_size: usize,
    pub(crate) compute_seconds: f64,
    pub(crate) signer: Signer,
    state: Mutex<State>,
    faults: Mutex<FaultBook>,
    calls: Mutex<CallLog>,
    buckets: Mutex<Buckets>,
}

impl Shared {
    /// The cloud's state. Take it before [`Self::faults`], never the other way round.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, FaultBook> {
        lock(&self.faults)
    }

    pub(crate) fn calls(&self) -> MutexGuard<'_, CallLog> {
        lock(&self.calls)
    }

    pub(crate) fn buckets(&self) -> MutexGuard<'_, Buckets> {
        lock(&self.buckets)
    }
}

/// A panic elsewhere leaves data that is still whole: every change here is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running pretend cloud. Dropping it ends every listener and connection.
#[derive(Debug)]
pub struct AzureSim {
    shared: Arc<Shared>,
    addresses: Vec<(Service, SocketAddr)>,
    admin: SocketAddr,
    ca_pem: String,
    runtime: Handle,
    tasks: Mutex<JoinSet<()>>,
}

impl AzureSim {
    /// Starts a simulator on the current tokio runtime; when it returns, every socket listens.
    ///
    /// # Errors
    /// [`SimError`] when a socket, a certificate or the world is not usable.
    pub async fn start(options: Options) -> Result<Self, SimError> {
        let clock = Clock::new(options.speed);
        let ca = match options.ca {
            Some(ca) => ca,
            None => CertificateAuthority::generate(options.ca_lifetime)?,
        };
        let tls = TlsAcceptor::from(ca.server_config(&options.extra_names, options.ca_lifetime)?);
        let shared = Arc::new(Shared {
            clock,
            page_size: options.page_size.max(1),
            compute_seconds: options.compute_seconds,
            signer: Signer::generate()?,
            state: Mutex::new(State::new(&options.world, options.seed)?),
            faults: Mutex::new(FaultBook::new(clock, options.seed)),
            calls: Mutex::default(),
            buckets: Mutex::new(Buckets::new(clock)),
        });
        let mut tasks = JoinSet::new();
        let mut addresses = Vec::new();
        for TlsListener { listener, service } in or_loopback(options.tls)? {
            let (listener, address) = adopt(listener, &service.to_string())?;
            let endpoint = Endpoint::Cloud(service);
            tasks.spawn(server::serve(
                Arc::clone(&shared),
                listener,
                Some(tls.clone()),
                endpoint,
            ));
            addresses.push((service, address));
        }
        let listener = match options.admin {
            Some(listener) => listener,
            None => loopback("admin")?,
        };
        let (listener, admin) = adopt(listener, "admin")?;
        tasks.spawn(server::serve(
            Arc::clone(&shared),
            listener,
            None,
            Endpoint::Admin,
        ));
        Ok(Self {
            shared,
            addresses,
            admin,
            ca_pem: ca.cert_pem,
            runtime: Handle::current(),
            tasks: Mutex::new(tasks),
        })
    }

    /// Every TLS listener's address and default service, in the order given.
    pub fn addresses(&self) -> &[(Service, SocketAddr)] {
        &self.addresses
    }

    /// The first listener with this default service.
    pub fn address(&self, service: Service) -> Option<SocketAddr> {
        self.addresses
            .iter()
            .find(|(s, _)| *s == service)
            .map(|(_, a)| *a)
    }

    /// Address of the admin API, plain HTTP.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// The certificate clients must trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Serves the metadata service of one machine on a bound socket, in whatever network
    /// namespace that socket is, and returns its address. `machine` is the resource id of a VM or
    /// of a uniform scale set's instance, letter case aside.
    ///
    /// # Errors
    /// [`SimError::UnknownMachine`], or [`SimError::Listen`].
    pub fn serve_imds(&self, machine: &str, listener: TcpListener) -> Result<SocketAddr, SimError> {
        let id = self
            .shared
            .state()
            .machine_id(machine)
            .ok_or_else(|| SimError::UnknownMachine(machine.into()))?;
        let _guard = self.runtime.enter();
        let (listener, address) = adopt(listener, "IMDS")?;
        let serving = server::serve(Arc::clone(&self.shared), listener, None, Endpoint::Imds(id));
        lock(&self.tasks).spawn_on(serving, &self.runtime);
        Ok(address)
    }

    /// Adds what `world` holds to the cloud. What has the same id is replaced, identities and role
    /// assignments keep what they were given since; tenant and location stay as they are.
    ///
    /// # Errors
    /// [`SimError::World`]; the cloud is then unchanged.
    pub fn merge_world(&self, world: &World) -> Result<(), SimError> {
        Ok(self.shared.state().merge(world)?)
    }

    /// Arms a fault and returns its number.
    pub fn arm_fault(&self, fault: Fault) -> u64 {
        self.shared.faults().arm(fault)
    }

    /// The fault a preset stands for, to narrow and arm.
    ///
    /// # Errors
    /// Never for a released simulator: presets are tested.
    pub fn preset(&self, preset: Preset) -> Result<Fault, SimError> {
        Ok(preset.fault(self.shared.clock)?)
    }

    /// All armed faults.
    pub fn faults(&self) -> Vec<ArmedFault> {
        self.shared.faults().list()
    }

    /// Disarms all faults.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Calls so far, oldest first; of some operations only, if a pattern is given.
    pub fn calls(&self, pattern: Option<&OperationPattern>) -> Vec<Call> {
        self.shared.calls().list(pattern)
    }

    /// Counts of calls so far.
    pub fn counters(&self) -> Counters {
        self.shared.calls().counters()
    }

    /// Forgets calls and counters.
    pub fn clear_calls(&self) {
        self.shared.calls().clear();
    }

    /// Identities, role assignments and what is assigned where, as `GET /state` shows it.
    pub fn state(&self) -> Value {
        self.shared.state().summary()
    }

    /// Ends every listener and connection, and waits for that.
    pub async fn shutdown(self) {
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        tasks.shutdown().await;
    }
}

fn adopt(
    listener: TcpListener,
    what: &str,
) -> Result<(tokio::net::TcpListener, SocketAddr), SimError> {
    let failed = |source| SimError::Listen {
        what: what.into(),
        source,
    };
    let listener = server::adopt(listener).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn or_loopback(given: Vec<TlsListener>) -> Result<Vec<TlsListener>, SimError> {
    if !given.is_empty() {
        return Ok(given);
    }
    [Service::Arm, Service::Entra, Service::Data]
        .into_iter()
        .map(|service| {
            Ok(TlsListener {
                listener: loopback(&service.to_string())?,
                service,
            })
        })
        .collect()
}

fn loopback(what: &str) -> Result<TcpListener, SimError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|source| SimError::Listen {
        what: what.into(),
        source,
    })
}
