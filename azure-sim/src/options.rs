//! How a simulator is started, and why it cannot be.

use std::net::TcpListener;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::operation::UnknownOperation;
use crate::tls::{CertificateAuthority, TlsError};
use crate::tokens::SignerError;
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
