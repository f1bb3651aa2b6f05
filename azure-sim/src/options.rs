//! Options of a simulator, and the errors of starting it.

use std::net::TcpListener;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::operation::UnknownOperation;
use crate::seed::{Seed, SeedError};
use crate::tls::{CertificateAuthority, TlsError};
use crate::tokens::TokenIssuerError;

/// The service that a TLS listener serves to requests for no Azure host name (for an address or
/// `localhost`). A request for an Azure host name reaches that host's service on every listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Azure Resource Manager.
    Arm,
    /// Entra ID.
    Entra,
    /// Key Vault and Storage. Which vault or account is meant only the host name says, so a request
    /// without one is answered with an error.
    Data,
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Arm => "arm",
            Self::Entra => "entra",
            Self::Data => "data",
        })
    }
}

/// A bound socket to serve TLS on.
#[derive(Debug)]
pub struct TlsListener {
    /// Bound by the caller, in a network namespace of the caller's choice.
    pub listener: TcpListener,
    /// Service for requests that name no Azure host.
    pub service: Service,
}

/// Options of a simulator.
#[derive(Debug)]
pub struct Options {
    /// The resources that exist at the start.
    pub seed: Seed,
    /// Factor by which spans of time are shortened: token lifetimes, delays, `Retry-After`. 1 is
    /// real time.
    pub speed: f64,
    /// Seed of the random numbers in new ids, token lifetimes and faults.
    pub random_seed: u64,
    /// How long a change of a VM or scale set runs, in seconds before `speed` shortens them.
    pub compute_seconds: f64,
    /// Items per page of a list.
    pub page_size: usize,
    /// Sockets for ARM, Entra and data. Empty: one each on a free loopback port.
    pub tls: Vec<TlsListener>,
    /// Socket for the admin API; a free loopback port if absent. The API has no authentication, so
    /// keep it on loopback.
    pub admin: Option<TcpListener>,
    /// Certificate authority; a new one if absent.
    pub ca: Option<CertificateAuthority>,
    /// Lifetime of the certificates that the simulator makes.
    pub ca_lifetime: Duration,
    /// Names and addresses in the server certificate beyond Azure's and loopback.
    pub extra_names: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: Seed::default(),
            speed: 1.0,
            random_seed: 1,
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

/// Why a simulator cannot start, or cannot carry out a call of [`AzureSim`](crate::AzureSim).
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A socket cannot be bound or registered with tokio.
    #[error("cannot listen on {what}")]
    Listen {
        /// What the socket is for.
        what: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The certificates cannot be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The token signing key cannot be made.
    #[error(transparent)]
    TokenIssuer(#[from] TokenIssuerError),
    /// The seed cannot be read or contradicts itself.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// No VM and no instance of a uniform scale set has this id.
    #[error("no virtual machine or scale set instance `{0}` is simulated; add it to the seed")]
    UnknownVm(String),
    /// A fault's pattern selects no operation.
    #[error(transparent)]
    UnknownOperation(#[from] UnknownOperation),
}
