//! `podid-lab status`.

use std::process::ExitCode;

use anyhow::Result;
use podid_lab::control::{ProgramState, ProgramStatus};
use podid_lab::state::StateDir;
use podid_lab::{Lab, LabError, Status, hint};

use crate::args::{Output, StatusArgs};
use crate::ui::{remark, say};

/// Exit code for a lab that is not up.
const NOT_UP: u8 = 3;

pub(super) fn run(args: &StatusArgs) -> Result<ExitCode> {
    if args.all {
        return list(args.output);
    }
    let status = match Lab::connect(&args.lab.name) {
        Ok(lab) => lab.status()?,
        Err(LabError::NotUp(name)) => {
            remark(LabError::NotUp(name));
            return Ok(ExitCode::from(NOT_UP));
        }
        Err(other) => return Err(other.into()),
    };
    match args.output {
        Output::Json => say(serde_json::to_string_pretty(&status)?),
        Output::Text => describe(&status),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(output: Output) -> Result<ExitCode> {
    let mut labs = serde_json::Map::new();
    for name in StateDir::names() {
        let running = StateDir::of(&name).is_ok_and(|dir| dir.is_running());
        labs.insert(name, serde_json::json!({ "running": running }));
    }
    if output == Output::Json {
        say(serde_json::to_string_pretty(&labs)?);
        return Ok(ExitCode::SUCCESS);
    }
    for (name, lab) in &labs {
        let running = lab["running"] == true;
        let state = if running {
            "up".to_owned()
        } else {
            format!(
                "left over; remove it with `{}`",
                hint::for_lab("down", name)
            )
        };
        say(format_args!("{name:<20} {state}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(status: &Status) {
    let network = serde_json::to_string(&status.network).unwrap_or_default();
    say(format_args!(
        "lab {} (network {})",
        status.name,
        network.trim_matches('"')
    ));
    say("\nPROGRAM                   STATE");
    for program in &status.programs {
        say(format_args!("{:<25} {}", program.name, state(program)));
    }
    say("\nNODE                      ADDRESS          VM");
    for node in &status.nodes {
        let vm = node
            .resource_id
            .rsplit_once("Microsoft.Compute/")
            .map_or("", |parts| parts.1);
        let address = node.address.to_string();
        say(format_args!("{:<25} {address:<16} {vm}", node.name));
    }
    if status.pods.is_empty() {
        return;
    }
    say("\nPOD                                                ADDRESS");
    for pod in &status.pods {
        let name = format!("{}/{}", pod.namespace, pod.name);
        let address = pod
            .address
            .map(|address| address.to_string())
            .unwrap_or_default();
        say(format_args!("{name:<50} {address}"));
    }
}

fn state(program: &ProgramStatus) -> String {
    let again = match program.restarts {
        0 => String::new(),
        times => format!(", started again {times} times"),
    };
    match &program.state {
        ProgramState::Running { pid } => format!("running (process {pid} of the lab){again}"),
        ProgramState::Restarting => format!("restarting{again}"),
        ProgramState::Ended { how } => format!("ended: {how}{again}"),
    }
}
