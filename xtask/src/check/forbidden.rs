//! Crates that must not be in the graph, and licences that may: `deny.toml`, enforced offline
//! from cargo's metadata, so that the check needs no other tool.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use cargo_metadata::Metadata;
use serde::Deserialize;

use crate::cargo;

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
    let text = fs::read_to_string("deny.toml").context("cannot read deny.toml")?;
    let deny: Deny = toml::from_str(&text).context("deny.toml cannot be read")?;
    let graph = graph()?;
    let metadata = cargo::metadata()?;
    let mut found: Vec<String> = deny
        .bans
        .deny
        .iter()
        .flat_map(|ban| banned(&graph, ban))
        .collect();
    found.extend(
        deny.bans
            .deny
            .iter()
            .flat_map(|ban| declared(&metadata, ban)),
    );
    found.extend(unlicensed(&metadata, &deny.licenses.allow)?);
    Ok(found)
}

/// A crate that is built, and the crate that uses it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    name: String,
    version: String,
    user: String,
}

/// Everything that is built for any platform. `cargo tree` lists it: `cargo metadata` also lists
/// crates that only a feature nobody switches on would bring.
fn graph() -> Result<BTreeSet<Edge>> {
    let mut tree = cargo::cargo();
    tree.args([
        "tree",
        "--workspace",
        "--target=all",
        "--prefix=depth",
        "--format= {p}",
    ]);
    let output = tree.output().context("cannot start cargo tree")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo tree failed: {complaint}");
    Ok(edges(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads lines like `2 serde v1.0.228 (*)`, where the number is the depth.
fn edges(tree: &str) -> BTreeSet<Edge> {
    let mut path: Vec<String> = Vec::new();
    let mut edges = BTreeSet::new();
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        let depth: Option<usize> = words.next().and_then(|depth| depth.parse().ok());
        let (Some(depth), Some(name), Some(version)) = (depth, words.next(), words.next()) else {
            continue;
        };
        path.truncate(depth);
        if let Some(user) = path.last() {
            edges.insert(Edge {
                name: name.to_owned(),
                version: version.to_owned(),
                user: user.clone(),
            });
        }
        path.push(name.to_owned());
    }
    edges
}

fn banned(graph: &BTreeSet<Edge>, ban: &Ban) -> Vec<String> {
    let present = graph.iter().filter(|edge| edge.name == ban.name);
    if ban.deny_multiple_versions {
        let versions: BTreeSet<&str> = present.map(|edge| edge.version.as_str()).collect();
        let versions: Vec<&str> = versions.into_iter().collect();
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
        .filter(|edge| !ban.wrappers.contains(&edge.user))
        .map(|edge| format!("{} is forbidden, and {} uses it", ban.name, edge.user))
        .collect()
}

/// Forbidden crates that a manifest of ours names, also where nothing switches them on.
fn declared(metadata: &Metadata, ban: &Ban) -> Vec<String> {
    let packages = metadata.workspace_packages();
    let named = packages.iter().flat_map(|package| {
        let named = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.name == ban.name);
        named.map(|_| package.name.as_str())
    });
    named
        .filter(|_| !ban.deny_multiple_versions)
        .map(|package| {
            format!(
                "{} is forbidden, and the manifest of {package} names it",
                ban.name
            )
        })
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
        let graph = graph().expect("cargo prints the graph");
        let of = |wrappers: &[&str]| banned(&graph, &ban("libgit2-sys", wrappers, false));
        assert_eq!(of(&[]), ["libgit2-sys is forbidden, and git2 uses it"]);
        assert_eq!(of(&["git2"]), Vec::<String>::new());
    }

    #[test]
    fn a_second_version_is_found() {
        let graph = graph().expect("cargo prints the graph");
        // The management crates bring azure_core 0.21 beside 1.1.
        let found = banned(&graph, &ban("azure_core", &[], true));
        assert!(
            found[0].starts_with("azure_core is there more than once: v0.21"),
            "{found:?}"
        );
        assert_eq!(
            banned(&graph, &ban("reqwest", &[], true)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_tree_is_read_as_edges() {
        let edges = edges("0 a v1 (/x)\n1 b v2\n2 c v3\n1 c v3 (*)\n\n0 d v4\n1 b v2 (*)\n");
        let users = |name: &str| -> Vec<&str> {
            edges
                .iter()
                .filter(|edge| edge.name == name)
                .map(|edge| &*edge.user)
                .collect()
        };
        assert_eq!(users("b"), ["a", "d"]);
        assert_eq!(users("c"), ["a", "b"]);
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
