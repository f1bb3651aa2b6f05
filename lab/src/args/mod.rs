//! The command line.

use std::path::PathBuf;

use clap::{Args as Group, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use podid_lab::tools::ToolGroup;
use podid_lab::{Flux, Kubernetes, Network, NodeAgent, NodeKind, Target, hint};

mod own;
#[cfg(test)]
mod tests;

pub(crate) use own::{Inner, OwnCommand};

/// A whole cloud and cluster on one machine: real Kubernetes and Flux,
/// simulated Azure, nodes and pods as network namespaces.
#[derive(Debug, Parser)]
#[command(name = "podid-lab", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// What was typed. Help names the command as it was typed, too.
    pub(crate) fn typed() -> Self {
        let own = hint::command().unwrap_or_else(|| hint::NAME.to_owned());
        let command = with_usage(spelled(Self::command(), &own), &own).bin_name(own);
        match Self::from_arg_matches(&command.get_matches()) {
            Ok(args) => args,
            Err(error) => error.exit(),
        }
    }
}

/// `command` with the usage of `service start`: clap names the pod, which is in a group, before the service.
fn with_usage(command: clap::Command, own: &str) -> clap::Command {
    let usage = format!(
        "{own} service start [OPTIONS] <SERVICE> <POD|--node <NODE>|--control-plane> -- <CMD>..."
    );
    command.mut_subcommand("service", |service| {
        service.mut_subcommand("start", |start| start.override_usage(usage))
    })
}

/// `command` with examples that call it `own`.
fn spelled(command: clap::Command, own: &str) -> clap::Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let command = command.mut_subcommands(|sub| spelled(sub, own));
    match examples {
        Some(text) => command.after_help(text.replace(hint::NAME, own)),
        None => command,
    }
}

const EXAMPLES: &str = "\
Examples:
  podid-lab up                                 start the lab `default` with two nodes
  eval \"$(podid-lab env)\"; kubectl get nodes   use it from this shell
  podid-lab exec -n team web-0 -- curl -sH Metadata:true \\
    'http://169.254.169.254/metadata/instance?api-version=2021-02-01'
  podid-lab exec --node node-0 -- ip address
  podid-lab status
  podid-lab down";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a lab and wait until all of it is ready.
    Up(UpArgs),
    /// End a lab, or remove what is left of one that was killed.
    Down(Named),
    /// Show programs, nodes and pods of a lab, or list all labs.
    Status(StatusArgs),
    /// Print shell lines that point this shell at a lab.
    #[command(after_help = "Example:\n  eval \"$(podid-lab env)\"")]
    Env(Named),
    /// Run a program inside a pod, a node or the control plane.
    #[command(after_help = EXEC_HELP)]
    Exec(ExecArgs),
    /// Start, stop or signal a long-running program in a lab.
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Print the log of a component or service.
    Logs(LogsArgs),
    /// Install podid in a lab: its kinds, rights and rules, two operators, and a
    /// daemon on every node; wait until all are ready.
    Install(InstallArgs),
    /// Build programs of the lab if need be and print the directory with links to
    /// them. None named: those that `up` uses by itself.
    #[command(after_help = TOOLS_HELP)]
    Tools {
        /// What to build.
        #[arg(value_enum, value_name = "GROUP")]
        groups: Vec<ToolGroup>,
    },
    #[command(flatten)]
    Own(OwnCommand),
}

const TOOLS_HELP: &str = "\
Example, the command helm of the version that the lab is tested with:
  PATH=\"$(podid-lab tools helm)/bin:$PATH\"";

const EXEC_HELP: &str = "\
The program is the machine's own: it sees the machine's files, and the network, host names and \
trusted certificates of the pod, the node or the control plane. It gets the variables of this shell, without AZURE_* and KUBECONFIG: \
with those it would act as another than itself; `-- env AZURE_…=… PROGRAM` sets one all the same. \
Its exit code is this command's; 125 means that it was not started.

Examples:
  podid-lab exec -n team web-0 -- python3 app.py
  podid-lab exec --node node-1 -- nft list ruleset
  podid-lab exec --control-plane -- kubectl get pods -A";

/// Which lab.
#[derive(Debug, Group)]
pub(crate) struct Named {
    /// Name of the lab.
    #[arg(long, env = "PODID_LAB", default_value = "default")]
    pub(crate) name: String,
}

#[derive(Debug, Group)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) lab: Named,
    /// Release of Kubernetes that the control plane, and kubectl beside it, are of. Before 1.36 there is no
    /// MutatingAdmissionPolicy: `kustomize/components/drop-net-raw` cannot be applied; and nodes are stand-ins.
    #[arg(long, value_enum, default_value_t, value_name = "RELEASE")]
    pub(crate) kubernetes: Kubernetes,
    /// Number of nodes.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=200))]
    pub(crate) nodes: u8,
    /// Kind of the last node: `uniform` and `flexible` are instances of a
    /// scale set, `vm` is a VM in no scale set. The others are uniform.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) node_kind: NodeKind,
    /// What does a kubelet's part: `stand-in`, quick, without containers; or a `kubelet`
    /// with containerd, which needs a C compiler to be built once.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) node_agent: NodeAgent,
    /// How pods are linked to their node: by a bridge, as with kubenet, or
    /// point to point, as with Azure CNI.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) network: Network,
    /// Which controllers of Flux to run: `none`, without Flux's kinds too,
    /// `kustomize`, or `all`, with helm-controller. What does not run is not built.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) flux: Flux,
    /// Seed of the simulated Azure (a JSON or YAML file) instead of the lab's own.
    /// The nodes' VMs and scale sets are added to it.
    #[arg(long, alias = "world", value_name = "FILE")]
    pub(crate) seed: Option<PathBuf>,
    /// How many times faster than the clock time passes in the simulated Azure.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("a number above 0".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Group)]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    pub(crate) lab: Named,
    /// Folder with podid's manifests, for kustomize [default: kustomize/lab].
    #[arg(long, value_name = "DIR")]
    pub(crate) manifests: Option<PathBuf>,
    /// Of nodes that run containers: the folder that `cargo xtask image` has filled.
    #[arg(long, value_name = "DIR", conflicts_with = "programs")]
    pub(crate) images: Option<PathBuf>,
    /// Of nodes that run none: the folder with podid's programs, which are run in the pods; without it, that of
    /// podid-lab.
    #[arg(long, value_name = "DIR")]
    pub(crate) programs: Option<PathBuf>,
}

#[derive(Debug, Group)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) lab: Named,
    /// List all labs instead.
    #[arg(long)]
    pub(crate) all: bool,
    /// Format.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// Which pod or node, or the control plane.
#[derive(Debug, Group)]
#[group(required = true, multiple = false, args = ["pod", "node", "control_plane"])]
pub(crate) struct Which {
    /// Name of a pod.
    pub(crate) pod: Option<String>,
    /// Name of a node.
    #[arg(long)]
    pub(crate) node: Option<String>,
    /// Where API server, Flux and the simulated Azure are.
    #[arg(long)]
    pub(crate) control_plane: bool,
}

/// A pod, a node or the control plane of a lab.
#[derive(Debug, Group)]
pub(crate) struct InLab {
    #[command(flatten)]
    pub(crate) lab: Named,
    #[command(flatten)]
    which: Which,
    /// Namespace of the pod.
    #[arg(short, long, default_value = "default")]
    namespace: String,
}

impl InLab {
    pub(crate) fn target(&self) -> Target {
        match (&self.which.pod, &self.which.node) {
            (Some(pod), _) => Target::pod(&self.namespace, pod),
            (None, Some(node)) => Target::node(node),
            (None, None) => Target::ControlPlane,
        }
    }
}

#[derive(Debug, Group)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) target: InLab,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) argv: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Start a program that lives until it is stopped or the lab ends.
    Start {
        /// Its name in the lab, also of its log.
        service: String,
        #[command(flatten)]
        target: InLab,
        /// Start it again whenever it ends.
        #[arg(long)]
        restart: bool,
        /// Set a variable of its environment; may be repeated.
        #[arg(short, long, value_name = "NAME=VALUE", value_parser = variable)]
        env: Vec<(String, String)>,
        /// The program and its arguments.
        #[arg(last = true, required = true, value_name = "CMD")]
        argv: Vec<String>,
    },
    /// End it and forget it.
    Stop {
        /// Its name in the lab.
        service: String,
        #[command(flatten)]
        lab: Named,
    },
    /// Send it a signal.
    Kill {
        /// Its name in the lab.
        service: String,
        #[command(flatten)]
        lab: Named,
        /// Number of the signal.
        #[arg(short, long, default_value_t = 15)]
        signal: i32,
    },
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[derive(Debug, Group)]
pub(crate) struct LogsArgs {
    /// Component or service; `lab` is the lab's own. With a namespace, a pod that the lab's stand-in runs.
    pub(crate) program: String,
    /// Namespace of the pod.
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    #[command(flatten)]
    pub(crate) lab: Named,
}
