//! Who may use whom. The table is the architecture; cargo's metadata is what was built.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use cargo_metadata::{DependencyKind, Metadata, Package};

use crate::cargo;

/// What the room of a crate may depend on.
struct Room {
    /// Package name.
    package: &'static str,
    /// Rooms of ours it may use.
    rooms: &'static [&'static str],
    /// Other people's crates it must not use, by name.
    never: &'static [&'static str],
    /// If given, the only crates of other people it may use.
    only: Option<&'static [&'static str]>,
    /// Features that it must not switch on in a crate it uses.
    never_features: &'static [(&'static str, &'static str)],
}

impl Room {
    const fn new(package: &'static str, rooms: &'static [&'static str]) -> Self {
        Self {
            package,
            rooms,
            never: &[],
            only: None,
            never_features: &[],
        }
    }
}

const KUBERNETES: &[&str] = &["kube", "k8s-openapi", "kube-lease-manager"];

const ROOMS: &[Room] = &[
    // Pure: whatever is added here must neither do I/O nor know the time.
    Room {
        only: Some(&["schemars", "serde", "strsim", "thiserror", "uuid"]),
        ..Room::new("podid-core", &[])
    },
    // Types, not clients.
    Room {
        never: &["reqwest", "tokio"],
        never_features: &[("kube", "client"), ("kube", "runtime")],
        ..Room::new("podid-crds", &["podid-core"])
    },
    Room {
        never: KUBERNETES,
        ..Room::new("podid-azure", &[])
    },
    // Shares no type with `azure`, or both would share the mistake.
    Room {
        never: KUBERNETES,
        ..Room::new("azure-sim", &[])
    },
    Room {
        never: KUBERNETES,
        ..Room::new("podid-runtime", &[])
    },
    Room::new(
        "podid-index",
        &["podid-core", "podid-crds", "podid-runtime"],
    ),
    Room::new(
        "podid-operator",
        &[
            "podid-core",
            "podid-crds",
            "podid-index",
            "podid-azure",
            "podid-runtime",
        ],
    ),
    Room::new(
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
    Room {
        never: KUBERNETES,
        ..Room::new("podid-netfilter", &[])
    },
    Room::new("podid", &["podid-core", "podid-crds", "podid-azure"]),
    Room::new("podid-lab", &["azure-sim"]),
    // Built before everything else, so it waits for nothing.
    Room::new("xtask", &[]),
    Room::new("podid-tests", ANY),
];

/// Every room but the two that nobody imports. The tests start xtask as a program.
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
];

/// Every arrow that must not be, and every crate that has no room.
pub(super) fn check() -> Result<Vec<String>> {
    Ok(violations(&cargo::metadata()?))
}

fn violations(metadata: &Metadata) -> Vec<String> {
    let rooms: BTreeMap<&str, &Room> = ROOMS.iter().map(|room| (room.package, room)).collect();
    let packages = metadata.workspace_packages();
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut found = Vec::new();
    for package in packages {
        match rooms.get(package.name.as_str()) {
            Some(room) => found.extend(of_package(package, room, &ours)),
            None => found.push(format!(
                "{} has no room: add it to the table in xtask/src/check/arrows.rs",
                package.name
            )),
        }
    }
    found
}

/// Arrows of tests (`[dev-dependencies]`) to our own rooms count too; other people's test crates
/// do not reach a user.
fn of_package(package: &Package, room: &Room, ours: &BTreeSet<&str>) -> Vec<String> {
    let mut found = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let arrow = format!("{} → {name}", package.name);
        if ours.contains(name) {
            // A crate may name itself to switch on its own features in tests.
            if name != room.package && !room.rooms.contains(&name) {
                found.push(format!(
                    "{arrow} must not be (allowed: {})",
                    list(room.rooms)
                ));
            }
            continue;
        }
        if dependency.kind == DependencyKind::Development {
            continue;
        }
        if room.never.contains(&name) || room.only.is_some_and(|only| !only.contains(&name)) {
            found.push(format!(
                "{arrow} must not be: see the room's row in CONTRIBUTING.md"
            ));
        }
        for feature in &dependency.features {
            if room.never_features.contains(&(name, feature.as_str())) {
                found.push(format!(
                    "{arrow} must not switch on its feature `{feature}`"
                ));
            }
        }
    }
    found
}

fn list(rooms: &[&str]) -> String {
    if rooms.is_empty() {
        "no room of ours".to_owned()
    } else {
        rooms.join(", ")
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
    fn the_house_as_it_stands_has_no_wrong_arrow() {
        let metadata = cargo::metadata().expect("cargo reads the workspace");
        assert_eq!(violations(&metadata), Vec::<String>::new());
    }

    #[test]
    fn a_planted_arrow_is_found() {
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
            let arrow = format!("{package} → {dependency}");
            assert!(
                found.iter().any(|line| line.contains(&arrow)),
                "{arrow}: {found:?}"
            );
        }
    }

    #[test]
    fn a_client_in_the_words_is_found() {
        let found = planted("podid-crds", "kube", &["client"]);
        assert!(
            found.iter().any(|line| line.contains("`client`")),
            "{found:?}"
        );
    }
}
