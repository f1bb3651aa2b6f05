//! A running simulator.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
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
use crate::seed::Seed;
use crate::server;
use crate::shared::{Shared, lock};
use crate::tls::CertificateAuthority;

/// A running simulator. Dropping it ends every listener and connection.
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
    /// [`SimError`] when a socket, a certificate or the seed is not usable.
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
            let (listener, address) = into_tokio(listener, &service.to_string())?;
            let (shared, endpoint) = (Arc::clone(&shared), Endpoint::Cloud(service));
            tasks.spawn(server::serve(
                shared,
                listener,
                Some(tls.clone()),
                move |_| Some(endpoint.clone()),
            ));
            addresses.push((service, address));
        }
        let listener = match options.admin {
            Some(listener) => listener,
            None => loopback("admin")?,
        };
        let (listener, admin) = into_tokio(listener, "admin")?;
        let serving = server::serve(Arc::clone(&shared), listener, None, |_| {
            Some(Endpoint::Admin)
        });
        tasks.spawn(serving);
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

    /// Serves the metadata service of one VM on a bound socket, in the network namespace in which
    /// that socket was bound, and returns the socket's address. `vm` is the resource id of a VM or
    /// of an instance of a uniform scale set, without regard to letter case.
    ///
    /// # Errors
    /// [`SimError::UnknownVm`], or [`SimError::Listen`].
    pub fn serve_imds(&self, vm: &str, listener: TcpListener) -> Result<SocketAddr, SimError> {
        let id = self
            .shared
            .state()
            .vm_id(vm)
            .ok_or_else(|| SimError::UnknownVm(vm.into()))?;
        self.serve_imds_at(listener, move |_| Some(Endpoint::Imds(id.clone())))
    }

    /// As [`Self::serve_imds`], for many VMs at one socket, as in Azure: `vm_of` says by a client's
    /// address on which VM it is. The connection of a client that is on none, or on one that there
    /// is not, is closed.
    ///
    /// # Errors
    /// [`SimError::Listen`].
    pub fn serve_imds_of_many(
        &self,
        listener: TcpListener,
        vm_of: impl Fn(IpAddr) -> Option<String> + Send + 'static,
    ) -> Result<SocketAddr, SimError> {
        let shared = Arc::clone(&self.shared);
        self.serve_imds_at(listener, move |client| {
            let id = shared.state().vm_id(&vm_of(client.ip())?)?;
            Some(Endpoint::Imds(id))
        })
    }

    fn serve_imds_at(
        &self,
        listener: TcpListener,
        endpoint_for: impl Fn(SocketAddr) -> Option<Endpoint> + Send + 'static,
    ) -> Result<SocketAddr, SimError> {
        // The caller may be outside the runtime, where tokio cannot register a socket.
        let _guard = self.runtime.enter();
        let (listener, address) = into_tokio(listener, "IMDS")?;
        let serving = server::serve(Arc::clone(&self.shared), listener, None, endpoint_for);
        lock(&self.tasks).spawn_on(serving, &self.runtime);
        Ok(address)
    }

    /// Adds the resources of `seed`. A resource of the same id is replaced, except that an identity
    /// keeps the ids and federated credentials that the seed does not set, and a VM or scale set
    /// its assigned identities. The tenant and the default region stay as they are.
    ///
    /// # Errors
    /// [`SimError::Seed`]; the state is then unchanged.
    pub fn merge_seed(&self, seed: &Seed) -> Result<(), SimError> {
        Ok(self.shared.state().merge(seed)?)
    }

    /// Arms a fault: it applies to calls from now on. Returns its number.
    pub fn arm_fault(&self, fault: Fault) -> u64 {
        self.shared.faults().arm(fault)
    }

    /// The fault of a preset, to narrow down and arm.
    ///
    /// # Errors
    /// Never for a released simulator: presets are tested.
    pub fn preset(&self, preset: Preset) -> Result<Fault, SimError> {
        Ok(preset.fault(self.shared.clock)?)
    }

    /// All armed faults, those already spent included.
    pub fn faults(&self) -> Vec<ArmedFault> {
        self.shared.faults().list()
    }

    /// Disarms all faults.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Calls so far, oldest first, limited to the operations of `pattern` if one is given. Only the
    /// latest 20,000 are kept.
    pub fn calls(&self, pattern: Option<&OperationPattern>) -> Vec<Call> {
        self.shared.calls().list(pattern)
    }

    /// Counts of calls so far.
    pub fn counters(&self) -> Counters {
        self.shared.calls().counters()
    }

    /// Identities, role assignments and what is assigned where, as `GET /state` shows it.
    pub fn state(&self) -> Value {
        self.shared.state().summary()
    }

    /// Ends every listener and connection, and returns when they have ended.
    pub async fn shutdown(self) {
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        tasks.shutdown().await;
    }
}

/// `what` names the socket in the error.
fn into_tokio(
    listener: TcpListener,
    what: &str,
) -> Result<(tokio::net::TcpListener, SocketAddr), SimError> {
    let failed = |source| SimError::Listen {
        what: what.into(),
        source,
    };
    let listener = server::into_tokio(listener).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// The listeners given; without any, one per service on a free loopback port.
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
