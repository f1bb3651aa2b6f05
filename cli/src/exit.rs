//! Exit codes.

/// How a command ended; the number is the exit code. `podid plan` uses all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; for `plan`: nothing to change.
    Done = 0,
    /// Failed, misused, or refused; nothing was done.
    Failed = 1,
    /// `plan`: there is something to change.
    Changes = 2,
    /// `plan`: the profile asks for what its class does not allow.
    Violations = 3,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
