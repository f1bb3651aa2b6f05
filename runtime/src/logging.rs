//! Structured logs on standard error.

use std::io::IsTerminal;

use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use crate::build_info;
use crate::settings::{LogFormat, LogSettings};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter does not parse. Settings that came from flags were checked already.
    #[error("the log filter is not valid")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// This process has a global subscriber already.
    #[error("a logger is installed already")]
    Installed(#[from] tracing_subscriber::util::TryInitError),
}

/// Installs the process-wide subscriber, and logs what this program was built from. Call it once, first
/// thing in `app::run`.
///
/// # Errors
/// When the filter is malformed or a subscriber is installed already.
pub fn init(settings: &LogSettings) -> Result<(), LoggingError> {
    let filter = EnvFilter::builder().parse(settings.log_level.directives())?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
        LogFormat::Text => lines.with_ansi(wants_colour()).finish().try_init()?,
    }
    tracing::info!(
        version = build_info::RELEASE,
        commit = build_info::COMMIT,
        image_layer = build_info::image_layer(),
        "starting"
    );
    Ok(())
}

/// On a terminal, unless <https://no-color.org> is followed.
fn wants_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !refused
}
