//! The command line of podid. `main.rs` only hands over the arguments and the two streams, so
//! that tests run every command in process.

mod args;
mod azure_role;
mod bootstrap;
mod cluster;
mod create;
mod document;
mod exit;
mod migrate;
mod output;
mod plan;
mod pods;
mod profile;
mod reference;
mod report;
mod repository;
mod roles;
mod tree;
mod yaml;

use std::ffi::OsString;
use std::io::Write;

use clap::{CommandFactory, FromArgMatches};

use args::{Bootstrap, ClassCommand, Cli, Command, Migrate, ProfileCommand};
use azure_role::AzureRoleError;
use bootstrap::BootstrapError;
use create::CreateError;
pub use exit::Exit;
use migrate::MigrateError;
use plan::PlanError;
use pods::PodsError;
use profile::EditError;
pub use reference::{cli_reference, command_reference};

/// Any failure of a command. The chain of causes is what the user reads.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Pods(#[from] PodsError),
    #[error(transparent)]
    AzureRole(#[from] AzureRoleError),
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error("cannot write the output")]
    Output(#[from] std::io::Error),
}

impl CommandError {
    fn is_broken_pipe(&self) -> bool {
        let (Self::Create(CreateError::Output(error))
        | Self::Plan(PlanError::Output(error))
        | Self::Pods(PodsError::Output(error))
        | Self::AzureRole(AzureRoleError::Output(error))
        | Self::Bootstrap(BootstrapError::Output(error))
        | Self::Edit(EditError::Output(error))
        | Self::Migrate(MigrateError::Output(error))
        | Self::Output(error)) = self
        else {
            return false;
        };
        error.kind() == std::io::ErrorKind::BrokenPipe
    }
}

/// Runs one command line, the program's name first.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, out, err),
    };
    match execute(cli, out) {
        Ok(exit) => exit,
        // The reader has closed the pipe, as in `podid … | head`; that is no failure of podid.
        Err(error) if error.is_broken_pipe() => Exit::Done,
        Err(error) => {
            // There is nowhere left to report that standard error is gone.
            let _ignored = output::error(&error, err);
            Exit::Failed
        }
    }
}

fn execute(cli: Cli, out: &mut dyn Write) -> Result<Exit, CommandError> {
    match cli.command {
        Command::Profile(ProfileCommand::Create(args)) => create::profile(&args, out)?,
        Command::Profile(ProfileCommand::Edit(args)) => profile::edit(&args, out)?,
        Command::Profile(ProfileCommand::Delete(args)) => profile::delete(&args, out)?,
        Command::Profile(ProfileCommand::List(args)) => profile::list(&args, out)?,
        Command::Class(ClassCommand::Create(args)) => create::class(&args, out)?,
        Command::Plan(args) => return Ok(plan::plan(&args, out)?),
        Command::Pods(args) => pods::pods(&args, out)?,
        Command::AzureRole(args) => azure_role::azure_role(&args, out)?,
        Command::Bootstrap(Bootstrap::Git(args)) => bootstrap::git(&args, out)?,
        Command::Migrate(Migrate::Values(args)) => migrate::values(&args, out)?,
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "podid", &mut script);
            out.write_all(&script)?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    if called_by_kubectl(arguments) {
        command = with_examples_of("kubectl podid", command).bin_name("kubectl podid");
    }
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// The command, with examples that call it by this name.
fn with_examples_of(name: &str, command: clap::Command) -> clap::Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let command = command.mut_subcommands(|sub| with_examples_of(name, sub));
    match examples {
        Some(text) => {
            let text = text.replace(" podid ", &format!(" {name} "));
            command.after_help(text.replace("(podid ", &format!("({name} ")))
        }
        None => command,
    }
}

fn called_by_kubectl(arguments: &[OsString]) -> bool {
    let program = arguments.first().map(std::path::Path::new);
    program
        .and_then(|path| path.file_name())
        .is_some_and(|name| name == "kubectl-podid")
}

/// Help and version go to the output and are no failure. A misuse exits with 1 and not with
/// clap's 2, which for `plan` means changes.
fn usage(error: &clap::Error, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let text = error.render();
    // There is nowhere left to report that the stream is gone.
    if error.use_stderr() {
        let _ignored = write!(err, "{}", text.ansi());
        Exit::Failed
    } else {
        let _ignored = write!(out, "{}", text.ansi());
        Exit::Done
    }
}
