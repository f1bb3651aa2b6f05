//! Checks at start that the process has the capabilities that it will need.

use std::fs;

/// Where a process finds its own capabilities.
const STATUS: &str = "/proc/self/status";

/// The capabilities the daemon needs, with their numbers (linux/capability.h) and what for.
const NEEDED: [(u32, &str, &str); 3] = [
    (12, "NET_ADMIN", "install nftables rules"),
    (
        19,
        "SYS_PTRACE",
        "see the network namespaces of pods' processes, and share the sockets of a daemon that runs",
    ),
    (21, "SYS_ADMIN", "look into the network namespaces of pods"),
];

/// Why the process cannot do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivilegeError {
    /// Capabilities are missing.
    #[error("missing capabilities: {}; add them to the container's securityContext.capabilities, or run as root", .0.join(", "))]
    Missing(Vec<String>),
    /// The kernel's answer could not be read.
    #[error("cannot read this process's capabilities from {STATUS}; is /proc mounted?")]
    Unknown(#[source] std::io::Error),
}

/// Checks this process's effective capabilities.
///
/// # Errors
/// When one is missing, with its name and what it is for.
pub(crate) fn check() -> Result<(), PrivilegeError> {
    let status = fs::read_to_string(STATUS).map_err(PrivilegeError::Unknown)?;
    let missing = missing(&status);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(PrivilegeError::Missing(missing))
    }
}

/// The needed capabilities that a process with this `/proc/PID/status` lacks, each with what it is for.
pub(crate) fn missing(status: &str) -> Vec<String> {
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .unwrap_or_default();
    NEEDED
        .iter()
        .filter(|(number, _, _)| effective & (1 << number) == 0)
        .map(|(_, name, purpose)| format!("{name} (to {purpose})"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn missing_capabilities_are_named() {
        assert_eq!(
            missing("Name:\tx\nCapEff:\t000001ffffffffff\n"),
            Vec::<String>::new()
        );
        let without_net_admin = format!("CapEff:\t{:016x}\n", !(1u64 << 12));
        assert_eq!(
            missing(&without_net_admin),
            ["NET_ADMIN (to install nftables rules)"]
        );
        assert_eq!(missing("").len(), 3, "an unreadable status grants nothing");
    }
}
