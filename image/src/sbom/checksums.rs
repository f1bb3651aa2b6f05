//! What Cargo.lock says about the archives of crates.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::tree::Crate;

/// SHA-256 digits of the archives that crates were unpacked from; our own have none.
pub(super) type Checksums = BTreeMap<Crate, String>;

#[derive(Debug, Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Debug, Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// Reads the lock file of the workspace in `sources`.
pub(super) fn read(sources: &Path) -> Result<Checksums> {
    let text =
        std::fs::read_to_string(sources.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    parse(&text).context("Cargo.lock cannot be read")
}

fn parse(text: &str) -> Result<Checksums> {
    let lock: Lock = toml::from_str(text)?;
    let packages = lock.package.into_iter();
    Ok(packages
        .filter_map(
            |Locked {
                 name,
                 version,
                 checksum,
             }| { Some((Crate { name, version }, checksum?)) },
        )
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_crates_from_a_registry_have_a_checksum() {
        let text = "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"0f\"\n\
                    [[package]]\nname = \"podid\"\nversion = \"0.1.0\"\n";
        let found: Vec<_> = parse(text).unwrap().into_iter().collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0.name.as_str(), found[0].1.as_str()), ("a", "0f"));
    }
}
