//! The operator's flags, each with a twin in the environment.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use podid_azure::AzureCloud;
use podid_core::arm::ArmId;
use podid_core::binding::LegacyIdentities;
use podid_core::net_raw::NetRaw;
use podid_runtime::{LogSettings, Settings, build_info, parse_duration};

/// Turns PodIdentityProfiles into Azure identities that pods can use.
///
/// The operator watches profiles and classes, creates or adopts the managed identity of each
/// profile, grants it roles, writes AzureIdentity and AzureIdentityBinding, and puts identities
/// on the VMs and scale sets under the pods that are bound to them. Several replicas may run: one leads,
/// the others wait with warm caches.
#[derive(Debug, Parser)]
#[command(name = "podid-operator", version = build_info::version(), args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What to do in place of all that.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What every podid daemon has.
    #[command(flatten)]
    pub runtime: Settings,

    /// How Azure is reached.
    #[command(flatten)]
    pub azure: AzureArgs,

    /// How replicas agree who leads.
    #[command(flatten)]
    pub lease: LeaseArgs,

    /// Where the cluster is, and what the operator has there.
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Let an AzureIdentity serve pods of its own namespace only, also without the annotation
    /// aadpodidentity.k8s.io/Behavior
    #[arg(long, env = "PODID_FORCE_NAMESPACED")]
    pub force_namespaced: bool,

    /// Which AzureIdentities that were written by hand are served: Any, WithinClass, those that a class allows which
    /// they name, to pods of their own namespace, or None
    #[arg(
        long,
        env = "PODID_LEGACY_IDENTITIES",
        value_name = "WHICH",
        default_value = "Any"
    )]
    pub legacy_identities: LegacyIdentities,

    /// What is asked of the pods that those serve, as netRaw of a profile asks it of its pods: Ignore, Audit, of which
    /// the API server warns by a policy, or Enforce: a pod that keeps NET_RAW gets nothing
    #[arg(
        long,
        env = "PODID_LEGACY_NET_RAW",
        value_name = "RULE",
        default_value = "Ignore"
    )]
    pub legacy_net_raw: NetRaw,

    /// How many profiles are worked on at once. Those that are only looked at or tried again have a quarter of
    /// these places at most, and those of one resource group half: what hangs there keeps no other group waiting
    #[arg(
        long, env = "PODID_CONCURRENCY", value_name = "COUNT", default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    pub concurrency: u16,

    /// How often Azure is compared with a profile that gives no spec.interval
    #[arg(
        long, env = "PODID_INTERVAL", value_name = "DURATION", default_value = "10m",
        value_parser = parse_duration
    )]
    pub interval: Duration,

    /// How often each VM or scale set is compared with what its pods need
    #[arg(
        long, env = "PODID_TARGET_INTERVAL", value_name = "DURATION",
        default_value = "180s", value_parser = parse_duration
    )]
    pub target_interval: Duration,

    /// Shortest time for which changes of one VM or scale set are collected before they go out together. Where a
    /// change takes long, a tenth of that, at most 5s, must pass without another; after 20s all go out
    #[arg(
        long, env = "PODID_TARGET_WINDOW", value_name = "DURATION",
        default_value = "250ms", value_parser = parse_duration
    )]
    pub target_window: Duration,

    /// Whether podid puts the taint podid.dev/not-ready on nodes where its rules may be missing, so that no
    /// pod is placed there; it takes the taint off in any case
    #[arg(
        long, env = "PODID_SET_NODE_TAINTS", value_name = "BOOL", default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub set_node_taints: bool,

    /// How long a node whose daemon has been ready may be without one, as during an update, before it gets
    /// the taint; its rules stay meanwhile
    #[arg(
        long, env = "PODID_NODE_TAINT_DELAY", value_name = "DURATION", default_value = "60s",
        value_parser = parse_duration
    )]
    pub node_taint_delay: Duration,

    /// Resource ids of identities that are never taken off a VM or scale set, separated by commas
    #[arg(
        long, env = "PODID_IMMUTABLE_IDENTITIES", value_name = "IDS", value_delimiter = ',',
        value_parser = identity_id
    )]
    pub immutable_identities: Vec<ArmId>,
}

/// What the operator does at the end of an installation.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take podid's finalizer off every profile, and stay; change nothing else, and nothing in Azure
    ///
    /// Profiles are not reconciled any more. What podid made stays in Azure, also for profiles that are being
    /// deleted; the log and an Event of the profile name it. It is ready when no profile has the finalizer.
    Uninstall(Box<UninstallArgs>),
    /// Fail while a profile has podid's finalizer, which nobody takes off without the operator
    CheckUninstall(CheckUninstallArgs),
}

/// Flags of `uninstall`.
#[derive(Clone, Debug, clap::Args)]
pub struct UninstallArgs {
    /// What every podid daemon has.
    #[command(flatten)]
    pub runtime: Settings,

    /// How replicas agree who leads.
    #[command(flatten)]
    pub lease: LeaseArgs,

    /// Where the cluster is, and what the operator has there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Flags of `check-uninstall`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckUninstallArgs {
    /// How to log.
    #[command(flatten)]
    pub log: LogSettings,

    /// Kubeconfig to use; without it $KUBECONFIG, then the service account of the pod
    #[arg(long, env = "PODID_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// Where the cluster is, and what the operator has there.
#[derive(Clone, Debug, clap::Args)]
pub struct ClusterArgs {
    /// Kubeconfig to use; without it $KUBECONFIG, then the service account of the pod
    #[arg(long, env = "PODID_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Namespace of the operator's own objects: its lease, and what it put on which VM or scale set
    #[arg(
        long,
        env = "PODID_NAMESPACE",
        value_name = "NAME",
        default_value = "podid-system"
    )]
    pub namespace: String,
}

/// How Azure is reached.
#[derive(Clone, Debug, clap::Args)]
pub struct AzureArgs {
    /// How the operator proves to Azure who it is
    #[arg(
        long,
        env = "PODID_CREDENTIAL",
        value_name = "KIND",
        default_value = "workload-identity"
    )]
    pub credential: CredentialKind,

    /// Tenant of the operator's own identity, a GUID; needed but for managed-identity
    #[arg(long, env = "PODID_TENANT_ID", value_name = "GUID")]
    pub tenant_id: Option<String>,

    /// Client id of the operator's own identity, a GUID; needed but for managed-identity
    #[arg(long, env = "PODID_CLIENT_ID", value_name = "GUID")]
    pub client_id: Option<String>,

    /// Service account token for workload-identity, audience api://AzureADTokenExchange
    #[arg(
        long,
        env = "PODID_FEDERATED_TOKEN_FILE",
        value_name = "FILE",
        default_value = "/var/run/secrets/azure/tokens/azure-identity-token"
    )]
    pub federated_token_file: PathBuf,

    /// File that holds the password for client-secret
    #[arg(long, env = "PODID_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,

    /// Azure cloud, by the name that azure.json uses
    #[arg(
        long,
        env = "PODID_CLOUD",
        value_name = "CLOUD",
        default_value = "AzurePublicCloud"
    )]
    pub cloud: AzureCloud,

    /// Address of Azure Resource Manager in place of the cloud's
    #[arg(long, env = "PODID_ARM_ENDPOINT", value_name = "URL")]
    pub arm_endpoint: Option<String>,

    /// Address of Entra in place of the cloud's
    #[arg(long, env = "PODID_AUTHORITY_HOST", value_name = "URL")]
    pub authority_host: Option<String>,

    /// Certificate authorities (PEM) to trust for Azure beside those of the system
    #[arg(long, env = "PODID_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// How the operator proves to Azure who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CredentialKind {
    /// A Kubernetes service account token, exchanged at Entra: no password anywhere.
    WorkloadIdentity,
    /// An identity of the VM the operator runs on.
    ManagedIdentity,
    /// An application and its password.
    ClientSecret,
}

/// How replicas agree who leads.
#[derive(Clone, Debug, clap::Args)]
pub struct LeaseArgs {
    /// Name of the Lease that the leading replica holds
    #[arg(
        long,
        env = "PODID_LEASE",
        value_name = "NAME",
        default_value = "podid-operator"
    )]
    pub lease: String,

    /// Name of this replica in the Lease, different for each; its pod's name lets a container
    /// that was restarted lead again at once. Without it a random name
    #[arg(long, env = "PODID_REPLICA", value_name = "NAME")]
    pub replica: Option<String>,
}

fn identity_id(text: &str) -> Result<ArmId, String> {
    let id = ArmId::new(text);
    match podid_core::arm::ManagedIdentityId::parse(&id) {
        Some(_) => Ok(id),
        None => Err("is not the resource id of a user-assigned identity".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_flag_has_an_environment_twin() {
        let command = Args::command();
        let own = |arg: &&clap::Arg| !["help", "version"].contains(&arg.get_id().as_str());
        for arg in command.get_arguments().filter(own) {
            let twin = format!("PODID_{}", arg.get_id().as_str().to_uppercase());
            assert_eq!(arg.get_env(), Some(twin.as_ref()), "{}", arg.get_id());
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn commands_take_no_flag_of_the_controllers() {
        for command in ["uninstall", "check-uninstall"] {
            Args::try_parse_from(["podid-operator", command]).expect(command);
            for words in [["--concurrency=3", command], [command, "--concurrency=3"]] {
                let words = ["podid-operator"].into_iter().chain(words);
                Args::try_parse_from(words).expect_err(command);
            }
        }
    }

    #[test]
    fn malformed_values_name_the_flag() {
        for (flag, value) in [
            ("--credential", "password"),
            ("--cloud", "AzureGermanCloud"),
            ("--legacy-net-raw", "Off"),
            ("--concurrency", "0"),
            ("--interval", "10"),
            ("--set-node-taints", "perhaps"),
            ("--node-taint-delay", "0s"),
            ("--immutable-identities", "/subscriptions/s"),
        ] {
            let error = Args::try_parse_from(["podid-operator", &format!("{flag}={value}")])
                .expect_err(flag)
                .to_string();
            assert!(error.contains(flag) && error.contains(value), "{error}");
        }
    }
}
