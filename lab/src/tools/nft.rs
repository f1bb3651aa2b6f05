//! The program `nft`, which kube-proxy runs: the system's own, or one in the cache.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::cache::{self, Cache, CacheError};
use super::debian;
use super::error::ToolsError;
use super::progress;

/// Entry of the cache, for systems that lack the program.
pub(super) const ENTRY: &str = "nft";
/// Its name.
pub(super) const PROGRAM: &str = "nft";
/// Runs the program with the libraries beside it, wherever the cache is.
const WRAPPER: &str = r#"#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu*) exec "$here/usr/sbin/nft" "$@"
"#;

/// Whether the system has it.
pub(super) fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut folders = std::env::split_paths(&path).chain(sbin);
    folders.any(|folder| folder.join(PROGRAM).is_file())
}

/// Has it in the cache.
pub(super) fn fetch(cache: &Cache) -> Result<(), ToolsError> {
    cache.fill(ENTRY, |dir| {
        progress::note("no nft on this machine: unpacking the package nftables into the cache");
        debian::unpack("nftables", dir).map_err(|reason| ToolsError::System {
            needed: "nodes by kubelet need the program nft, for kube-proxy",
            remedy: "install your system's package nftables",
            reason,
        })?;
        write_wrapper(&dir.join(PROGRAM)).map_err(ToolsError::from)
    })
}

fn write_wrapper(path: &Path) -> Result<(), CacheError> {
    fs::write(path, WRAPPER).map_err(cache::failed("write", path))?;
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, executable).map_err(cache::failed("make executable", path))
}
