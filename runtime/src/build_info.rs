//! What this program was built from.

/// The version of the workspace.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The git commit, shortened to 12 digits; `unknown` when built outside a repository.
pub const COMMIT: &str = env!("PODID_COMMIT");

/// What `--version` shows: `#[command(version = build_info::VERSION)]`.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("PODID_COMMIT"),
    ")"
);
