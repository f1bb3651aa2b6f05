//! The lab's simulated Azure: what is in it, and where it listens.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use azure_sim::{
    Application, AzureSim, CertificateAuthority, FederatedCredential, Identity, Instance, Issuer,
    Options, Orchestration, Place, ResourceGroup, RoleAssignment, ScaleSet, Seed, SeedError,
    Service, SimError, StorageAccount, TlsListener, Vault, VirtualMachine, VmIdentity,
};

use super::listeners::CloudListeners;
use crate::layout::{
    CONTROL_PLANE, FLEXIBLE_SET, IMDS, ISSUER, KUBELET_PRINCIPAL, LOCATION, Layout, NODE_GROUP,
    NodeLayout, OPERATOR_ACCOUNT, OPERATOR_APPLICATION, OPERATOR_CLIENT_ID, OPERATOR_ROLES,
    RESOURCE_GROUP, SUBSCRIPTION, TENANT, UNIFORM_SET, VAULT, VAULT_SECRET,
};
use crate::options::NodeKind;

/// Host names of Azure that lead to the simulator inside the lab; more come
/// from the vaults and accounts of its seed.
pub(crate) const AZURE_HOSTS: [&str; 3] = [
    "management.azure.com",
    "login.microsoftonline.com",
    "login.microsoft.com",
];

/// Name of the identity every node has from the start.
const KUBELET_IDENTITY: &str = "lab-agentpool";

/// How long certificates of the simulated Azure are good: longer than anyone
/// keeps a lab.
const CERTIFIED: Duration = Duration::from_secs(365 * 86_400);

/// Why the simulated Azure did not start.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The seed file cannot be used.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// The simulator refused.
    #[error("the simulated Azure did not start")]
    Sim(#[from] SimError),
    /// A port is taken.
    #[error("cannot listen on {address} inside the lab")]
    Listen {
        /// Which address.
        address: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Host names that lead to the simulator for this seed.
pub(crate) fn hosts(seed: &Seed) -> Vec<String> {
    let fixed = AZURE_HOSTS.iter().map(|&host| host.to_owned());
    let vaults = seed
        .vaults
        .iter()
        .map(|vault| format!("{}.vault.azure.net", vault.name));
    let accounts = seed
        .storage_accounts
        .iter()
        .map(|account| format!("{}.blob.core.windows.net", account.name));
    fixed.chain(vaults).chain(accounts).collect()
}

/// The authority every name of the simulated Azure is certified by.
pub(crate) fn authority() -> Result<CertificateAuthority, CloudError> {
    Ok(CertificateAuthority::generate(CERTIFIED).map_err(SimError::from)?)
}

/// Starts the simulator on the loopback sockets and, inside the lab, on 443.
pub(crate) async fn start(
    seed: Seed,
    speed: f64,
    authority: CertificateAuthority,
    sockets: CloudListeners,
) -> Result<AzureSim, CloudError> {
    let inside = TcpListener::bind((CONTROL_PLANE, 443)).map_err(|source| CloudError::Listen {
        address: format!("{CONTROL_PLANE}:443"),
        source,
    })?;
    let tls = [
        (inside, Service::Arm),
        (sockets.arm, Service::Arm),
        (sockets.entra, Service::Entra),
        (sockets.data, Service::Data),
    ];
    let options = Options {
        seed,
        speed,
        tls: tls
            .map(|(listener, service)| TlsListener { listener, service })
            .into(),
        admin: Some(sockets.admin),
        ca: Some(authority),
        ca_lifetime: CERTIFIED,
        extra_names: vec![CONTROL_PLANE.to_string()],
        ..Options::default()
    };
    Ok(AzureSim::start(options).await?)
}

/// Has the simulated metadata service answer all nodes and their pods, off the nodes as in Azure: it
/// knows a machine by its address.
pub(crate) fn serve_imds(sim: &AzureSim, layout: Arc<Layout>) -> Result<(), CloudError> {
    const PORT: u16 = 80;
    let listener = TcpListener::bind((IMDS, PORT)).map_err(|source| CloudError::Listen {
        address: format!("{IMDS}:{PORT}"),
        source,
    })?;
    let vm_of = move |client| Some(layout.node_of(client)?.resource_id.clone());
    sim.serve_imds_of_many(listener, vm_of)?;
    Ok(())
}

/// The seed of the file, or the lab's own. Either way the lab's nodes are in
/// it and the cluster's issuer is known by its certificate authority.
pub(crate) fn seed(
    file: Option<&PathBuf>,
    layout: &Layout,
    cluster_ca: &str,
) -> Result<Seed, CloudError> {
    let mut seed = match file {
        Some(path) => Seed::from_file(path)?,
        None => own_seed(),
    };
    add_nodes(&mut seed, layout);
    seed.issuers.push(Issuer {
        issuer: ISSUER.to_owned(),
        ca: Some(cluster_ca.to_owned()),
        ..Issuer::default()
    });
    Ok(seed)
}

fn group(name: &str) -> ResourceGroup {
    ResourceGroup {
        name: name.to_owned(),
        ..ResourceGroup::default()
    }
}

fn own_seed() -> Seed {
    let mut seed = Seed {
        tenant_id: TENANT.to_owned(),
        location: LOCATION.to_owned(),
        subscriptions: vec![SUBSCRIPTION.to_owned()],
        resource_groups: vec![group(RESOURCE_GROUP), group(NODE_GROUP)],
        applications: vec![operator()],
        role_assignments: operator_roles(),
        ..Seed::default()
    };
    seed.vaults.push(Vault {
        name: VAULT.to_owned(),
        place: Place::in_group(RESOURCE_GROUP),
        secrets: [(VAULT_SECRET.0.to_owned(), VAULT_SECRET.1.into())].into(),
    });
    seed.storage_accounts.push(StorageAccount {
        name: "stdemo".to_owned(),
        place: Place::in_group(RESOURCE_GROUP),
        containers: [
            ("reports".to_owned(), Vec::new()),
            ("backups".to_owned(), Vec::new()),
        ]
        .into(),
    });
    seed
}

/// The operator signs in with its service account's token: no secret.
fn operator() -> Application {
    Application {
        name: OPERATOR_APPLICATION.to_owned(),
        client_id: Some(OPERATOR_CLIENT_ID.to_owned()),
        federated_credentials: vec![FederatedCredential {
            name: "lab-cluster".to_owned(),
            issuer: ISSUER.to_owned(),
            subject: OPERATOR_ACCOUNT.to_owned(),
            audiences: vec!["api://AzureADTokenExchange".to_owned()],
        }],
        ..Application::default()
    }
}

/// What the operator's documentation asks a platform team to grant, no more.
fn operator_roles() -> Vec<RoleAssignment> {
    let subscription = format!("/subscriptions/{SUBSCRIPTION}");
    let identities = format!("{subscription}/resourceGroups/{RESOURCE_GROUP}");
    let nodes = format!("{subscription}/resourceGroups/{NODE_GROUP}");
    let scopes = [identities.clone(), identities, nodes, subscription];
    let rights = OPERATOR_ROLES.iter().zip(scopes);
    rights
        .map(|(role, scope)| RoleAssignment {
            role: (*role).to_owned(),
            principal: OPERATOR_APPLICATION.to_owned(),
            scope,
            ..RoleAssignment::default()
        })
        .collect()
}

fn add_nodes(seed: &mut Seed, layout: &Layout) {
    let place = Place {
        subscription: Some(SUBSCRIPTION.to_owned()),
        ..Place::in_group(NODE_GROUP)
    };
    seed.identities.push(Identity {
        name: KUBELET_IDENTITY.to_owned(),
        place: place.clone(),
        principal_id: Some(KUBELET_PRINCIPAL.to_owned()),
        ..Identity::default()
    });
    let of_kind = |kind| layout.nodes.iter().filter(move |node| node.kind == kind);
    if of_kind(NodeKind::Uniform).next().is_some() {
        seed.scale_sets.push(ScaleSet {
            name: UNIFORM_SET.to_owned(),
            place: place.clone(),
            identity: kubelet_identity(),
            instances: of_kind(NodeKind::Uniform).map(instance).collect(),
            ..ScaleSet::default()
        });
    }
    if of_kind(NodeKind::Flexible).next().is_some() {
        seed.scale_sets.push(ScaleSet {
            name: FLEXIBLE_SET.to_owned(),
            place: place.clone(),
            orchestration: Orchestration::Flexible,
            ..ScaleSet::default()
        });
    }
    let alone = of_kind(NodeKind::Vm).map(|node| (node, None));
    let flexible = of_kind(NodeKind::Flexible).map(|node| (node, Some(FLEXIBLE_SET.to_owned())));
    for (node, scale_set) in alone.chain(flexible) {
        seed.virtual_machines.push(VirtualMachine {
            name: node.name.clone(),
            place: place.clone(),
            identity: kubelet_identity(),
            scale_set,
            private_ip: Some(node.address.to_string()),
            ..VirtualMachine::default()
        });
    }
}

/// By its full id: a seed of the user's own may look for names elsewhere.
fn kubelet_identity() -> VmIdentity {
    let id = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{NODE_GROUP}/providers/\
         Microsoft.ManagedIdentity/userAssignedIdentities/{KUBELET_IDENTITY}"
    );
    VmIdentity {
        user_assigned: vec![id],
        ..VmIdentity::default()
    }
}

fn instance(node: &NodeLayout) -> Instance {
    Instance {
        id: node.index.to_string(),
        computer_name: Some(node.name.clone()),
        private_ip: Some(node.address.to_string()),
    }
}
