//! The parsed command line.

use clap::{Parser, Subcommand};

use crate::azure_role::AzureRoleArgs;
use crate::bootstrap::BootstrapArgs;
use crate::create::{ClassArgs, ProfileArgs};
use crate::migrate::MigrateValuesArgs;
use crate::plan::PlanArgs;
use crate::pods::PodsArgs;
use crate::profile::{DeleteArgs, EditArgs, ListArgs};

/// Azure identities for pods, declared in git
#[derive(Debug, Parser)]
#[command(name = "podid", version = podid_build_info::version(), after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  Give the pods labelled aadpodidbinding=checkout an identity that reads one vault's secrets:
    podid profile create checkout --namespace payments --class standard \\
      --access \"Key Vault Secrets User=/subscriptions/…/vaults/payments\"

  See the commit before making it:
    podid profile create checkout -n payments --class standard --dry-run

  See what a commit will do to Azure:
    podid plan origin/main...HEAD";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Profiles: what an application's pods may do in Azure
    #[command(subcommand)]
    Profile(ProfileCommand),

    /// Classes: the facts of an environment, and what its profiles may ask for
    #[command(subcommand)]
    Class(ClassCommand),

    /// Show what the operator would do for the profiles of files, or of commits
    Plan(PlanArgs),

    /// List the pods of a cluster that break a rule about NET_RAW or the namespaces of their node
    Pods(PodsArgs),

    /// Print the least rights in Azure with which the operator can work for classes
    AzureRole(AzureRoleArgs),

    /// Write what Flux needs to run podid on a cluster
    #[command(subcommand)]
    Bootstrap(Bootstrap),

    /// Turn what aad-pod-identity had into podid's
    #[command(subcommand)]
    Migrate(Migrate),

    /// Print the completion script of a shell
    #[command(after_help = "Example:\n  source <(podid completion bash)")]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Where what Flux needs is written to.
#[derive(Debug, Subcommand)]
pub(crate) enum Bootstrap {
    /// Commit it to the git repository that Flux syncs, and push
    Git(Box<BootstrapArgs>),
}

/// What of aad-pod-identity is turned into podid's.
#[derive(Debug, Subcommand)]
pub(crate) enum Migrate {
    /// Write a values file of podid's chart from one of its chart
    Values(MigrateValuesArgs),
}

/// The commands for profiles.
#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// Write one into a git working tree and commit it
    Create(ProfileArgs),

    /// Change one in its file and commit that
    Edit(EditArgs),

    /// Take one out of its file and commit that
    Delete(DeleteArgs),

    /// List those of a folder
    List(ListArgs),
}

/// The commands for classes.
#[derive(Debug, Subcommand)]
pub(crate) enum ClassCommand {
    /// Write one into a git working tree and commit it
    Create(ClassArgs),
}
