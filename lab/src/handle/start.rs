//! Starting a keeper and hearing from it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::LabError;
use crate::daemon::Spec;
use crate::events::Event;

/// Variables that name a proxy, which nothing in a lab can reach.
const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

/// The podid-lab program: named by `PODID_LAB_BIN`, this very program, or
/// beside it; tests live one directory below.
pub(crate) fn program() -> Result<PathBuf, LabError> {
    if let Some(named) = std::env::var_os("PODID_LAB_BIN") {
        return Ok(PathBuf::from(named));
    }
    let own = std::env::current_exe().map_err(LabError::Keeper)?;
    let name = OsString::from("podid-lab");
    let beside = own.ancestors().skip(1).take(2).map(|dir| dir.join(&name));
    beside
        .into_iter()
        .find(|path| path.is_file())
        .ok_or(LabError::NoProgram(own))
}

pub(super) fn keeper(executable: &Path, spec: &Spec) -> Result<Child, LabError> {
    let text = serde_json::to_string(spec).map_err(LabError::Spec)?;
    let mut command = crate::keeper::command(executable, &text);
    for proxy in PROXIES {
        command.env_remove(proxy);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(LabError::Keeper)
}

/// Reads events until the lab is up, or fails.
pub(super) fn follow(keeper: &mut Child, tell: &mut impl FnMut(&Event)) -> Result<(), LabError> {
    let silent = || LabError::Start {
        message: "its keeper ended".to_owned(),
        log: Vec::new(),
    };
    let stdout = keeper.stdout.take().ok_or_else(silent)?;
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let Ok(event) = serde_json::from_str::<Event>(&line) else {
            continue;
        };
        tell(&event);
        match event {
            Event::Up => return Ok(()),
            Event::Failed { message, log } => return Err(LabError::Start { message, log }),
            Event::Waiting { .. } | Event::Ready { .. } => {}
        }
    }
    Err(silent())
}

/// Tells the keeper to go on without this process.
pub(super) fn release(keeper: &mut Child) -> std::io::Result<()> {
    keeper
        .stdin
        .take()
        .map_or(Ok(()), |mut stdin| stdin.write_all(crate::keeper::RELEASE))
}
