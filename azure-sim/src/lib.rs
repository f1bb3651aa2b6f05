//! A simulator of Azure for programs that use managed identities: Azure Resource Manager, Entra ID,
//! the instance metadata service, Key Vault and Blob Storage, in one process, with no account and no
//! network. It follows Azure's published HTTP contracts and serves TLS with a certificate authority
//! of its own. It signs real tokens, verifies them, and checks the roles of their holders. Faults
//! make it misbehave as Azure does at times.
//!
//! ```
//! # async fn example() -> Result<(), azure_sim::SimError> {
//! use azure_sim::{AzureSim, Options, Seed, Service};
//!
//! let sim = AzureSim::start(Options { seed: Seed::demo()?, ..Options::default() }).await?;
//! println!("ARM at {:?}, trust {}", sim.address(Service::Arm), sim.ca_pem());
//! # Ok(()) }
//! ```
//!
//! The way of a request: `server` reads it, `router` finds its service and matches it against the
//! `faults`, the service (`arm`, `entra`, `imds` or `data`) answers it from the one `state`, and
//! `calls` logs it. The modules below these import nothing from them: `host_names`, `ids`, `clock`,
//! `message`, `operation`, `answer`, `tokens`, `throttle`, `conditions`, and the data in `seed` and
//! `resources`.

mod admin;
mod answer;
mod arm;
mod calls;
mod clock;
mod conditions;
mod data;
mod entra;
mod faults;
mod glob;
mod host_names;
mod ids;
mod imds;
mod message;
mod operation;
mod options;
mod resources;
mod router;
mod seed;
mod server;
mod shared;
mod sim;
mod state;
mod throttle;
mod tls;
mod tokens;

pub use calls::{Call, Counters};
pub use faults::{ArmedFault, Effect, Fault, Outcome, Preset};
pub use operation::{Operation, OperationPattern, UnknownOperation};
pub use options::{Options, Service, SimError, TlsListener};
pub use seed::{
    Application, Blob, DEFAULT_LOCATION, DEFAULT_SUBSCRIPTION, DEFAULT_TENANT, FederatedCredential,
    Identity, Instance, Issuer, Orchestration, Permission, Place, ResourceGroup, RoleAssignment,
    RoleDefinition, ScaleSet, Secret, Seed, SeedError, Sensitive, StorageAccount, Vault,
    VirtualMachine, VmIdentity,
};
pub use sim::AzureSim;
pub use tls::{CertificateAuthority, TlsError};
pub use tokens::TokenIssuerError;
