//! `podid`, also found by kubectl as `kubectl-podid`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut out, mut err) = (anstream::stdout().lock(), anstream::stderr().lock());
    podid::run(std::env::args_os(), &mut out, &mut err).into()
}
