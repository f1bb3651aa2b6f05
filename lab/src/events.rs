//! What a starting lab reports to the process that waits for it: one JSON object
//! per line on the monitor's standard output.

use std::io::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Event {
    /// Work on this part began.
    Waiting {
        /// The part, as shown to people.
        part: String,
    },
    /// This part is ready.
    Ready {
        /// The part, as in the `Waiting` before.
        part: String,
        /// How long it took.
        took: Duration,
    },
    /// Everything is ready. Nothing follows.
    Up,
    /// The lab ends. Nothing follows.
    Failed {
        /// What failed, why, and what to do.
        message: String,
        /// Last lines of the log of what failed, if there is one.
        log: Vec<String>,
    },
}

/// Sends `event` to the process that waits, if it still does.
pub fn emit(event: &Event) {
    if let Ok(mut line) = serde_json::to_vec(event) {
        line.push(b'\n');
        // The reader goes away once the lab is up; that is no failure.
        let _ = std::io::stdout().lock().write_all(&line);
    }
}

/// The last `count` lines of the file at `path`; none when it cannot be read.
pub fn tail(path: &std::path::Path, count: usize) -> Vec<String> {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..]
        .iter()
        .map(|&line| line.to_owned())
        .collect()
}

/// `error` and all its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
