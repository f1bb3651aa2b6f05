//! Which crate may use which. The table is the architecture; cargo's metadata is what is built.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use cargo_metadata::{DependencyKind, Metadata, Package};

use crate::cargo;

/// What a crate of ours may depend on.
struct Rule {
    /// Package name.
    package: &'static str,
    /// Crates of ours it may use.
    ours: &'static [&'static str],
    /// Other people's crates it must not use, by name.
    never: &'static [&'static str],
    /// If given, the only crates of other people it may use.
    only: Option<&'static [&'static str]>,
    /// Features that it must not switch on in a crate it uses.
    never_features: &'static [(&'static str, &'static str)],
}

impl Rule {
    const fn new(package: &'static str, ours: &'static [&'static str]) -> Self {
        Self {
            package,
            ours,
            never: &[],
            only: None,
            never_features: &[],
        }
    }
}

const KUBERNETES: &[&str] = &["kube", "k8s-openapi"];

const RULES: &[Rule] = &[
    // Pure: whatever is added here must neither do I/O nor know the time.
    Rule {
        only: Some(&["schemars", "serde", "strsim", "thiserror", "uuid"]),
        ..Rule::new("podid-core", &[])
    },
    // Types, not clients.
    Rule {
        never: &["reqwest", "tokio"],
        never_features: &[("kube", "client"), ("kube", "runtime")],
        ..Rule::new("podid-crds", &["podid-core"])
    },
    Rule {
        never: KUBERNETES,
        ..Rule::new("podid-azure", &[])
    },
    // Shares no type with `azure`, or both would share the mistake.
    Rule {
        never: KUBERNETES,
        ..Rule::new("azure-sim", &[])
    },
    Rule::new("podid-build-info", &[]),
    Rule {
        never: KUBERNETES,
        ..Rule::new("podid-runtime", &["podid-build-info"])
    },
    Rule::new(
        "podid-index",
        &["podid-core", "podid-crds", "podid-runtime"],
    ),
    Rule::new(
        "podid-operator",
        &[
            "podid-core",
            "podid-crds",
            "podid-index",
            "podid-azure",
            "podid-runtime",
        ],
    ),
    Rule::new(
        "podid-nmi",
        &[
            "podid-core",
            "podid-crds",
            "podid-index",
            "podid-azure",
            "podid-runtime",
            "podid-netfilter",
        ],
    ),
    Rule {
        never: KUBERNETES,
        ..Rule::new("podid-netfilter", &[])
    },
    Rule::new(
        "podid",
        &[
            "podid-core",
            "podid-crds",
            "podid-azure",
            "podid-build-info",
        ],
    ),
    Rule::new("podid-lab", &["azure-sim"]),
    Rule::new("podid-image", &["podid-build-info", "podid-lab"]),
    // Built before everything else, so it waits for nothing.
    Rule::new("xtask", &[]),
    Rule::new("podid-tests", ANY),
];

/// Every crate but the two that no crate imports. The tests start xtask as a program.
const ANY: &[&str] = &[
    "podid-core",
    "podid-crds",
    "podid-index",
    "podid-azure",
    "azure-sim",
    "podid-runtime",
    "podid-operator",
    "podid-nmi",
    "podid-netfilter",
    "podid",
    "podid-lab",
    "podid-build-info",
    "podid-image",
];

/// Every dependency that is not allowed, and every crate without a rule.
pub(super) fn check() -> Result<Vec<String>> {
    Ok(violations(&cargo::metadata()?))
}

fn violations(metadata: &Metadata) -> Vec<String> {
    let rules: BTreeMap<&str, &Rule> = RULES.iter().map(|rule| (rule.package, rule)).collect();
    let packages = metadata.workspace_packages();
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut found = Vec::new();
    for package in packages {
        match rules.get(package.name.as_str()) {
            Some(rule) => found.extend(of_package(package, rule, &ours)),
            None => found.push(format!(
                "{} has no rule: add it to the table in xtask/src/check/dependencies.rs",
                package.name
            )),
        }
    }
    found
}

/// Crates of ours that only tests use (`[dev-dependencies]`) count too; of other crates only those
/// that reach a user.
fn of_package(package: &Package, rule: &Rule, ours: &BTreeSet<&str>) -> Vec<String> {
    let mut found = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let pair = format!("{} → {name}", package.name);
        if ours.contains(name) {
            // A crate may name itself to switch on its own features in tests.
            if name != rule.package && !rule.ours.contains(&name) {
                found.push(format!(
                    "{pair} is not allowed (allowed: {})",
                    list(rule.ours)
                ));
            }
            continue;
        }
        if dependency.kind == DependencyKind::Development {
            continue;
        }
        if rule.never.contains(&name) || rule.only.is_some_and(|only| !only.contains(&name)) {
            found.push(format!(
                "{pair} is not allowed: see the crate's row in CONTRIBUTING.md"
            ));
        }
        for feature in &dependency.features {
            if rule.never_features.contains(&(name, feature.as_str())) {
                found.push(format!("{pair} must not switch on its feature `{feature}`"));
            }
        }
    }
    found
}

fn list(crates: &[&str]) -> String {
    if crates.is_empty() {
        "no crate of ours".to_owned()
    } else {
        crates.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The workspace, with one more dependency written into a package's manifest.
    fn planted(package: &str, dependency: &str, features: &[&str]) -> Vec<String> {
        let mut metadata = cargo::metadata().expect("cargo reads the workspace");
        let package = metadata
            .packages
            .iter_mut()
            .find(|found| *found.name == package)
            .expect("a package of ours");
        let mut planted = package.dependencies.first().expect("a dependency").clone();
        planted.name = dependency.to_owned();
        planted.kind = DependencyKind::Normal;
        planted.features = features.iter().map(|&feature| feature.to_owned()).collect();
        package.dependencies.push(planted);
        violations(&metadata)
    }

    #[test]
    fn the_workspace_as_it_is_has_no_wrong_dependency() {
        let metadata = cargo::metadata().expect("cargo reads the workspace");
        assert_eq!(violations(&metadata), Vec::<String>::new());
    }

    #[test]
    fn a_planted_dependency_is_found() {
        for (package, dependency) in [
            ("podid-core", "podid-crds"),
            ("podid-core", "tokio"),
            ("podid-nmi", "podid-operator"),
            ("podid-index", "podid-azure"),
            ("podid-azure", "azure-sim"),
            ("azure-sim", "podid-azure"),
            ("podid-azure", "kube"),
            ("podid", "podid-nmi"),
            ("podid-lab", "xtask"),
        ] {
            let found = planted(package, dependency, &[]);
            let pair = format!("{package} → {dependency}");
            assert!(
                found.iter().any(|line| line.contains(&pair)),
                "{pair}: {found:?}"
            );
        }
    }

    #[test]
    fn a_client_in_the_crate_of_types_is_found() {
        let found = planted("podid-crds", "kube", &["client"]);
        assert!(
            found.iter().any(|line| line.contains("`client`")),
            "{found:?}"
        );
    }
}
