//! Crates that must not be in the graph, and licences that may: `deny.toml`, enforced offline
//! from cargo's metadata, so that the check needs no other tool.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, Package, PackageId};
use semver::Version;
use serde::Deserialize;

use crate::{cargo, process};

/// The part of `deny.toml` that is enforced here.
#[derive(Debug, Deserialize)]
struct Deny {
    bans: Bans,
    licenses: Licenses,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    /// Crates that may use it all the same.
    #[serde(default)]
    wrappers: Vec<String>,
    /// Whether the crate may be there once, and no more.
    #[serde(default)]
    deny_multiple_versions: bool,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

/// Every forbidden crate in the graph, and every licence that is not allowed.
pub(super) fn check() -> Result<Vec<String>> {
    let file = process::root().join("deny.toml");
    let text = fs::read_to_string(&file).context("cannot read deny.toml")?;
    let deny: Deny = toml::from_str(&text).context("deny.toml cannot be read")?;
    let metadata = cargo::metadata()?;
    let mut found: Vec<String> = deny
        .bans
        .deny
        .iter()
        .flat_map(|ban| banned(&metadata, ban))
        .collect();
    found.extend(unlicensed(&metadata, &deny.licenses.allow)?);
    Ok(found)
}

fn banned(metadata: &Metadata, ban: &Ban) -> Vec<String> {
    let present: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|package| *package.name == ban.name)
        .collect();
    if ban.deny_multiple_versions {
        let versions: BTreeSet<&Version> = present.iter().map(|package| &package.version).collect();
        let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
        return match versions.len() {
            0 | 1 => Vec::new(),
            _ => vec![format!(
                "{} is there more than once: {}",
                ban.name,
                versions.join(", ")
            )],
        };
    }
    present
        .iter()
        .flat_map(|package| users(metadata, &package.id))
        .filter(|user| !ban.wrappers.contains(user))
        .map(|user| format!("{} is forbidden, and {user} uses it", ban.name))
        .collect()
}

/// Names of the packages that use `id` in the resolved graph.
fn users(metadata: &Metadata, id: &PackageId) -> Vec<String> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    nodes
        .filter(|node| node.dependencies.contains(id))
        .map(|node| metadata[&node.id].name.to_string())
        .collect()
}

fn unlicensed(metadata: &Metadata, allow: &[String]) -> Result<Vec<String>> {
    let allowed = allow
        .iter()
        .map(|license| spdx::Licensee::parse(license))
        .collect::<Result<Vec<_>, _>>()
        .context("deny.toml: licenses.allow holds no SPDX name")?;
    let fits = |expression: &str| {
        // Old manifests write `MIT/Apache-2.0` for `MIT OR Apache-2.0`.
        spdx::Expression::parse(&expression.replace('/', " OR ")).is_ok_and(|expression| {
            expression.evaluate(|wanted| allowed.iter().any(|have| have.satisfies(wanted)))
        })
    };
    Ok(metadata
        .packages
        .iter()
        .filter(|package| !package.license.as_deref().is_some_and(fits))
        .map(|package| {
            let license = package.license.as_deref().unwrap_or("no licence");
            format!("{} {} is under {license}", package.name, package.version)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(name: &str, wrappers: &[&str], deny_multiple_versions: bool) -> Ban {
        Ban {
            name: name.to_owned(),
            wrappers: wrappers.iter().map(|&wrapper| wrapper.to_owned()).collect(),
            deny_multiple_versions,
        }
    }

    #[test]
    fn a_forbidden_crate_is_found_unless_only_its_wrappers_use_it() {
        let metadata = cargo::metadata().expect("cargo reads the workspace");
        let of = |wrappers: &[&str]| banned(&metadata, &ban("libgit2-sys", wrappers, false));
        assert_eq!(of(&[]), ["libgit2-sys is forbidden, and git2 uses it"]);
        assert_eq!(of(&["git2"]), Vec::<String>::new());
    }

    #[test]
    fn a_second_version_is_found() {
        let metadata = cargo::metadata().expect("cargo reads the workspace");
        // The management crates bring azure_core 0.21 beside 1.1.
        let found = banned(&metadata, &ban("azure_core", &[], true));
        assert!(
            found[0].starts_with("azure_core is there more than once: 0.21"),
            "{found:?}"
        );
        assert_eq!(
            banned(&metadata, &ban("reqwest", &[], true)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_licence_that_is_not_allowed_is_found() {
        let metadata = cargo::metadata().expect("cargo reads the workspace");
        let found = unlicensed(&metadata, &["MIT".to_owned()]).expect("an SPDX name");
        assert!(
            found
                .iter()
                .any(|line| line.ends_with("is under Apache-2.0")),
            "{found:?}"
        );
    }
}
