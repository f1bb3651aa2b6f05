//! How many files the process may have open: each connection is one, and so is each network
//! namespace while it is looked into.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Connections of a node with 110 pods at their limits, and as many namespaces as are looked into at
/// a time for pods that have a few each.
const ENOUGH: u64 = 4096;

/// Raises the limit as far as this process may. With less than enough it serves nevertheless: what
/// cannot be opened is refused then, one by one.
pub(crate) fn raise_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(hard)
    });
    match raised {
        Ok(limit) if limit < ENOUGH => tracing::warn!(
            limit,
            enough = ENOUGH,
            "few open files are allowed; raise the hard limit (ulimit -Hn) of the container runtime"
        ),
        Ok(limit) => tracing::debug!(limit, "open files allowed"),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_as_high_as_it_may_be() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(512), hard).unwrap();
        raise_limit();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
    }
}
