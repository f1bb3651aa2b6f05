//! How a daemon starts and ends.

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use crate::tasks::BoxError;

/// How long threads that are stuck in blocking calls may hold up the end of the process.
const BLOCKED_THREADS_GRACE: Duration = Duration::from_secs(1);

/// Makes aws-lc-rs the cryptography of every TLS connection of this process. Call it before the
/// first client is built; [`run`] does. Calling it again does nothing.
pub fn init() {
    // The error only says that a provider is installed, which is what was wanted.
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The kernel would write the process's memory to a file, and show it to processes of its user.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep this process's memory out of core dumps")]
pub struct DumpError(#[source] std::io::Error);

/// Keeps the memory of this process, its environment and its files out of core dumps and from the other processes of its
/// user: a pod that shares the node's processes may run as the same user.
///
/// # Errors
/// When the kernel refuses.
pub fn forbid_dumps() -> Result<(), DumpError> {
    nix::sys::prctl::set_dumpable(false).map_err(|error| DumpError(error.into()))
}

/// Runs a daemon to its end on a multi-threaded runtime.
///
/// Exit codes: 0 stopped as asked, 1 failed (the error and its causes are on standard error);
/// clap's own 2 for malformed flags happens before this is called.
pub fn run<E: Into<BoxError>>(daemon: impl Future<Output = Result<(), E>>) -> ExitCode {
    init();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let result = runtime.block_on(daemon);
    runtime.shutdown_timeout(BLOCKED_THREADS_GRACE);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error.into().as_ref()),
    }
}

/// Standard error and not the log, because the error may be that there is no log.
#[allow(clippy::print_stderr)]
fn fail(error: &dyn Error) -> ExitCode {
    eprintln!("error: {}", chain(error));
    ExitCode::FAILURE
}

/// An error and its causes on one line, outermost first.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the table")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn the_chain_names_every_cause_once() {
        let error = Outer(std::io::Error::other("no such table"));
        assert_eq!(chain(&error), "cannot read the table: no such table");
    }

    #[test]
    fn exit_codes() {
        assert_eq!(run(async { Ok::<_, BoxError>(()) }), ExitCode::SUCCESS);
        assert_eq!(
            run(async { Err::<(), _>(BoxError::from("broken")) }),
            ExitCode::FAILURE
        );
    }
}
