//! Ending a monitor that another process started.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::LabError;
use crate::monitor::{MONITOR_FILE, MonitorInfo};
use crate::state::StateDir;

/// How long the monitor may take to end a lab: the kernel takes down its
/// processes in well under a second, but the machine may be busy.
const LIMIT: Duration = Duration::from_secs(30);

/// Asks the monitor to end and waits until it has.
pub(super) fn monitor(name: &str, dir: &StateDir) -> Result<(), LabError> {
    let deadline = Instant::now() + LIMIT;
    let mut asked = 0;
    while dir.is_running() {
        // The file is missing while the lab starts.
        if let Ok(info) = dir.read_json::<MonitorInfo>(MONITOR_FILE)
            && asked != info.monitor
        {
            asked = info.monitor;
            // It may have ended meanwhile, which the next turn sees.
            let _ = kill(Pid::from_raw(info.monitor), Signal::SIGTERM);
        }
        if Instant::now() > deadline {
            return Err(LabError::Endless {
                name: name.to_owned(),
                monitor: asked,
            });
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
