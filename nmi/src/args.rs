//! The command line of the daemon.

use std::ffi::OsString;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use podid_core::binding::LegacyIdentities;
use podid_core::net_raw::NetRaw;
use podid_runtime::{LogSettings, Settings, build_info, parse_duration};

/// Port of the listener for attested callers; aad-pod-identity's NMI listened there too.
pub const DEFAULT_PORT: u16 = 2579;

/// Answers the pods of this node at 169.254.169.254, each with its own identity.
///
/// It runs in the node's network and process namespaces and needs the capabilities NET_ADMIN
/// (rules), SYS_ADMIN and SYS_PTRACE (to see which network namespace a pod's processes live in).
///
/// The rules stay when it stops, for whatever reason: pods' calls then wait for the next daemon, and
/// never reach the node's own metadata service. Only `podid-nmi uninstall` takes them away. A daemon
/// that starts while another runs takes over from it when it is ready.
#[derive(Debug, Parser)]
#[command(name = "podid-nmi", version = build_info::version())]
pub struct Args {
    /// The command; `run` when left out.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM or SIGINT; the default, so `podid-nmi --node-name N` runs
    Run(Box<RunArgs>),
    /// Say whether the daemon at the admin socket is ready, and fail while it is not
    Probe(ProbeArgs),
    /// Show the node's pods, their identities, the tokens that are kept and the last errors
    Status(StatusArgs),
    /// Keep pods from the node's metadata service until the daemon serves them, and end
    ///
    /// For the start of a node, before its kubelet; where podid has rules it changes nothing.
    Close(CloseArgs),
    /// Write a systemd unit to the node that runs `close` before its kubelet starts, and this program
    BootUnit(BootUnitArgs),
    /// Remove podid's rules from this node, and with --node-root its systemd unit; nothing else
    Uninstall(UninstallArgs),
}

impl Args {
    /// The command line with `run` in its place when no command is given, to be parsed. clap has
    /// no default subcommand whose flags can be required.
    #[must_use]
    pub fn with_default(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
        let mut words: Vec<OsString> = words.into_iter().collect();
        let first = words.get(1).and_then(|word| word.to_str());
        let about_itself = matches!(first, Some("-h" | "--help" | "-V" | "--version"));
        if !about_itself && first.is_none_or(|word| word.starts_with('-')) {
            words.insert(words.len().min(1), "run".into());
        }
        words
    }
}

/// Flags of `run`.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// Flags every daemon has.
    #[command(flatten)]
    pub settings: Settings,

    /// Socket with the pages of --admin-addr, made anew at the start; only its owner can connect
    ///
    /// Two daemons of one node have one admin address, at which the active one answers. By the socket a probe
    /// asks this very daemon.
    #[arg(long, env = "PODID_ADMIN_SOCKET", value_name = "FILE")]
    pub admin_socket: Option<PathBuf>,

    /// Name of this node in the API server
    #[arg(long, env = "PODID_NODE_NAME", value_name = "NAME")]
    pub node_name: String,

    /// Local address for the calls of attested pods [default: the node's address, port 2579]
    ///
    /// The node's address is the one its default route uses.
    #[arg(long, env = "PODID_LISTEN", value_name = "IP:PORT")]
    pub listen: Option<SocketAddrV4>,

    /// Port, on the same address, for calls of pods that are not attested (yet)
    #[arg(long, env = "PODID_UNATTESTED_PORT", value_name = "PORT", default_value_t = DEFAULT_PORT + 1)]
    pub unattested_port: u16,

    /// The node's metadata service, which the tokens come from
    #[arg(
        long,
        env = "PODID_METADATA_ENDPOINT",
        value_name = "URL",
        default_value = "http://169.254.169.254"
    )]
    pub metadata_endpoint: String,

    /// Certificate authorities (PEM) to trust for Entra beside those of the system
    #[arg(long, env = "PODID_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// How to reach the API server [default: as a pod in the cluster]
    #[arg(long, env = "PODID_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Read the node's pods, and write Events about them, as the node's own user, so that the API server keeps the
    /// daemon to them
    ///
    /// It needs an API server with constrained impersonation, as Kubernetes 1.36 has, and rights that the component
    /// act-as-node gives.
    #[arg(long, env = "PODID_ACT_AS_NODE")]
    pub act_as_node: bool,

    /// Let an AzureIdentity serve pods of its own namespace only, whatever its annotation says
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

    /// How long a request may wait for its identity to be assigned to this node
    #[arg(
        long, env = "PODID_ASSIGN_WAIT", value_name = "DURATION", default_value = "20s",
        value_parser = parse_duration
    )]
    pub assign_wait: Duration,

    /// How long a request may wait for its pod to be attested
    #[arg(
        long, env = "PODID_ATTEST_WAIT", value_name = "DURATION", default_value = "15s",
        value_parser = parse_duration
    )]
    pub attest_wait: Duration,
}

/// Flags of `probe`.
#[derive(Clone, Debug, clap::Args)]
pub struct ProbeArgs {
    /// The daemon's admin socket
    #[arg(long, env = "PODID_ADMIN_SOCKET", value_name = "FILE")]
    pub admin_socket: PathBuf,
}

/// Flags of `status`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl -n podid-system exec podid-nmi-x7k2p -- /podid-nmi status    of the node of that pod
  podid-nmi status --admin-socket /run/podid/admin.sock                in the daemon's container
  podid-nmi status -o json | jq '.pods[] | select(.state != \"Served\")'")]
pub struct StatusArgs {
    /// The daemon's admin socket
    #[arg(long, env = "PODID_ADMIN_SOCKET", value_name = "FILE")]
    pub admin_socket: PathBuf,

    /// What to print
    #[arg(short, long, value_enum, default_value_t = StatusFormat::Table)]
    pub output: StatusFormat,
}

/// How the status is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum StatusFormat {
    /// For people
    Table,
    /// For programs
    Json,
    /// For programs
    Yaml,
}

/// Flags of `close`.
#[derive(Clone, Debug, clap::Args)]
pub struct CloseArgs {
    /// How to log.
    #[command(flatten)]
    pub log: LogSettings,
}

/// Flags of `boot-unit`.
#[derive(Clone, Debug, clap::Args)]
pub struct BootUnitArgs {
    /// How to log.
    #[command(flatten)]
    pub log: LogSettings,

    /// Where /opt/podid and /etc/systemd/system of the node are mounted
    #[arg(long, env = "PODID_NODE_ROOT", value_name = "FOLDER")]
    pub node_root: PathBuf,
}

/// Flags of `uninstall`.
#[derive(Clone, Debug, clap::Args)]
pub struct UninstallArgs {
    /// How to log.
    #[command(flatten)]
    pub log: LogSettings,

    /// Remove what `boot-unit` has written, too; where /opt/podid and /etc/systemd/system of the node are mounted
    #[arg(long, env = "PODID_NODE_ROOT", value_name = "FOLDER")]
    pub node_root: Option<PathBuf>,

    /// Stay until SIGTERM or SIGINT afterwards, as a container of a DaemonSet has to
    #[arg(long)]
    pub stay: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    fn parse(words: &[&str]) -> Args {
        Args::try_parse_from(Args::with_default(words.iter().map(OsString::from))).unwrap()
    }

    #[test]
    fn run_is_the_default() {
        for words in [
            &["podid-nmi", "--node-name", "n"][..],
            &["podid-nmi", "run", "--node-name", "n"],
            &["podid-nmi", "--force-namespaced", "--node-name=n"],
        ] {
            let args = parse(words);
            assert!(
                matches!(args.command, Command::Run(run) if run.node_name == "n"),
                "{words:?}"
            );
        }
        assert_eq!(Args::with_default([OsString::from("podid-nmi")]).len(), 2);
    }

    #[test]
    fn uninstall_needs_no_node() {
        assert!(matches!(
            parse(&["podid-nmi", "uninstall"]).command,
            Command::Uninstall(_)
        ));
    }

    #[test]
    fn every_flag_has_an_environment_twin() {
        let command = Args::command();
        let run = command.find_subcommand("run").unwrap();
        for arg in run.get_arguments() {
            let id = arg.get_id().as_str();
            if id != "help" && id != "version" {
                let twin = format!("PODID_{}", id.to_uppercase());
                assert_eq!(arg.get_env(), Some(twin.as_ref()), "{id}");
            }
        }
    }
}
