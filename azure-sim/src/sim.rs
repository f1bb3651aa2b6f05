//! A running simulator, as a value.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::calls::{Call, Counters};
use crate::faults::{ArmedFault, Fault, Preset};
use crate::operation::OperationPattern;
use crate::options::{Options, Service, SimError, TlsListener};
use crate::router::Endpoint;
use crate::server;
use crate::shared::{Shared, lock};
use crate::tls::CertificateAuthority;
use crate::world::World;

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
        let shared = Arc::new(Shared::new(&options)?);
        let ca = match options.ca {
            Some(ca) => ca,
            None => CertificateAuthority::generate(options.ca_lifetime)?,
        };
        let tls = TlsAcceptor::from(ca.server_config(&options.extra_names, options.ca_lifetime)?);
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
