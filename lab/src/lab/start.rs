//! Starting a monitor and reading its events.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use super::LabError;
use crate::events::Event;
use crate::spec::Spec;

/// Variables that name a proxy, which nothing in a lab can reach.
const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

pub(super) fn monitor(executable: &Path, spec: &Spec) -> Result<Child, LabError> {
    let text = serde_json::to_string(spec).map_err(LabError::Spec)?;
    let mut command = crate::monitor::command(executable, &text);
    for proxy in PROXIES {
        command.env_remove(proxy);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(LabError::Monitor)
}

/// Reads events until the lab is up, or fails.
pub(super) fn follow(monitor: &mut Child, report: &mut impl FnMut(&Event)) -> Result<(), LabError> {
    let silent = || LabError::Start {
        message: "its monitor ended".to_owned(),
        log: Vec::new(),
    };
    let stdout = monitor.stdout.take().ok_or_else(silent)?;
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let Ok(event) = serde_json::from_str::<Event>(&line) else {
            continue;
        };
        report(&event);
        match event {
            Event::Up => return Ok(()),
            Event::Failed { message, log } => return Err(LabError::Start { message, log }),
            Event::Waiting { .. } | Event::Ready { .. } => {}
        }
    }
    Err(silent())
}

/// Lets the lab outlive this process.
pub(super) fn release(monitor: &mut Child) -> std::io::Result<()> {
    monitor
        .stdin
        .take()
        .map_or(Ok(()), |mut stdin| stdin.write_all(crate::monitor::RELEASE))
}
