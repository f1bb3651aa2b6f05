//! The parsed command line.

use clap::{Args, Parser, Subcommand};

use crate::create::{ClassArgs, ProfileArgs};
use crate::plan::PlanArgs;

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
    podid plan payments/checkout.yaml --class-file classes/standard.yaml";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Profiles: what an application's pods may do in Azure
    #[command(subcommand)]
    Profile(Resource<ProfileArgs>),

    /// Classes: the facts of an environment, and what its profiles may ask for
    #[command(subcommand)]
    Class(Resource<ClassArgs>),

    /// Show what the operator would do for the profiles of a file
    Plan(PlanArgs),

    /// Print the completion script of a shell
    #[command(after_help = "Example:\n  source <(podid completion bash)")]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The commands for a kind whose objects are kept in git.
#[derive(Debug, Subcommand)]
pub(crate) enum Resource<C: Args> {
    /// Write one into a git working tree and commit it
    Create(C),
}
