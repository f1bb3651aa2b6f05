//! The lab's own processes.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use podid_lab::enter::{Namespaces, enter};
use podid_lab::state::StateDir;
use podid_lab::{container, daemon, events, init, monitor, sandbox};

use crate::args::{Inner, OwnCommand};
use crate::ui::{self, say};

/// What the lab's own log holds. Two libraries log as errors what is expected
/// here: that the API server does not answer yet, that a link does not exist.
const LOG_FILTER: &str = "info,kube_client::client::builder=off,nlink::netlink::connection=error";
pub(super) fn run(command: OwnCommand) -> Result<ExitCode> {
    match command {
        OwnCommand::Monitor { spec } => {
            monitor::run(&serde_json::from_str(&spec)?)?;
            Ok(ExitCode::SUCCESS)
        }
        OwnCommand::Init(Inner { state, cgroup }) => {
            let code = init::run(&StateDir::at(state), &cgroup)?;
            Ok(exit_code(code))
        }
        OwnCommand::Daemon(Inner { state, cgroup }) => run_daemon(&StateDir::at(state), &cgroup),
        OwnCommand::Enter {
            process,
            cgroups,
            argv,
        } => {
            let error = enter(&Namespaces { process, cgroups }, &argv);
            let code = error.exit_code();
            ui::complain(&error.into());
            Ok(exit_code(code))
        }
        OwnCommand::Container { spec } => match container::run(&spec) {
            Ok(never) => match never {},
            Err(error) => Err(error.into()),
        },
        OwnCommand::Sandbox { first, spec } => {
            let run = if first {
                sandbox::run_first
            } else {
                sandbox::run
            };
            match run(&spec) {
                Ok(never) => match never {},
                Err(error) => {
                    // The process that started it reads the reason from standard output.
                    say(events::chain(&error));
                    Ok(ExitCode::FAILURE)
                }
            }
        }
    }
}

/// Of a program's exit code; one that does not fit means failure.
pub(super) fn exit_code(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn run_daemon(dir: &StateDir, cgroup: &Path) -> Result<ExitCode> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(LOG_FILTER));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    log.with_ansi(false).init();
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    daemon::run(dir, cgroup)?;
    Ok(ExitCode::SUCCESS)
}
