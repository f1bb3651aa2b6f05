//! Asks a running daemon for its status, and prints it.

use std::io::{self, Write};

use anyhow::Context;
use podid_runtime::admin;

use super::report::StatusReport;
use super::{PAGE, table};
use crate::args::{StatusArgs, StatusFormat};

/// Prints the status of the daemon at the admin socket.
///
/// # Errors
/// When no daemon answers there, or one that has not started yet.
pub async fn run(args: StatusArgs) -> anyhow::Result<()> {
    let page = admin::fetch(&args.admin_socket, PAGE).await?;
    let report: StatusReport = serde_json::from_str(&page).context(
        "the answer at the admin socket is not a status; is that daemon of this release?",
    )?;
    let text = match args.output {
        StatusFormat::Table => table::text(&report),
        StatusFormat::Json => serde_json::to_string_pretty(&report)? + "\n",
        StatusFormat::Yaml => serde_saphyr::to_string(&report)?,
    };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever has closed the pipe has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
