//! A pretend Azure for programs that use managed identities: Azure Resource Manager, Entra ID,
//! the instance metadata service, Key Vault and Blob Storage, in one process, with no account and
//! no network. It speaks Azure's wire contracts over TLS with a certificate authority of its own,
//! signs real tokens, checks them and the roles of whoever holds them, and can be told what to get
//! wrong.
//!
//! ```
//! # async fn example() -> Result<(), azure_sim::SimError> {
//! use azure_sim::{AzureSim, Options, Service, World};
//!
//! let sim = AzureSim::start(Options { world: World::demo()?, ..Options::default() }).await?;
//! println!("ARM at {:?}, trust {}", sim.address(Service::Arm), sim.ca_pem());
//! # Ok(()) }
//! ```
//!
//! A request is read whole (`wire`), named (`operation`), perhaps struck by a fault (`faults`),
//! answered by its service (`arm`, `entra`, `imds`, `data`) from one state (`state`), and logged
//! (`calls`); `router` is that story.

mod admin;
mod arm;
mod calls;
mod clock;
mod data;
mod entra;
mod faults;
mod glob;
mod imds;
mod operation;
mod options;
mod router;
mod server;
mod shared;
mod sim;
mod state;
mod tls;
mod tokens;
mod wire;
mod world;

pub use calls::{Call, Counters};
pub use faults::{ArmedFault, Effect, Fault, Outcome, Preset};
pub use operation::{Operation, OperationPattern, UnknownOperation};
pub use options::{Options, Service, SimError, TlsListener};
pub use sim::AzureSim;
pub use tls::{CertificateAuthority, TlsError};
pub use tokens::SignerError;
pub use world::{
    Application, Blob, DEFAULT_GROUP, DEFAULT_LOCATION, DEFAULT_SUBSCRIPTION, DEFAULT_TENANT,
    FederatedCredential, Identity, Instance, Issuer, Orchestration, Permission, Place,
    ResourceGroup, RoleAssignment, RoleDefinition, ScaleSet, Secret, Sensitive, StorageAccount,
    Vault, VirtualMachine, VmIdentity, World, WorldError,
};
