//! Which crates are linked into a program: the answer of `cargo tree`, which chooses features as a build of
//! the same packages does. (`cargo metadata` always chooses those of the whole workspace.)

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::programs::ShippedProgram;
use crate::toolchain::{TARGET, print};

/// A crate in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) version: String,
}

/// What cargo tells of a crate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    /// As its author writes it, mostly an SPDX expression.
    pub(super) license: String,
    pub(super) repository: String,
    /// The crates that it uses itself.
    pub(super) uses: BTreeSet<Crate>,
}

/// Crates with all that they use, directly and indirectly.
pub(super) type Crates = BTreeMap<Crate, About>;

/// The crates of programs that are built together.
#[derive(Debug)]
pub(crate) struct Tree(Crates);

impl Tree {
    /// Asks cargo about the workspace in `sources`.
    pub(crate) fn of(sources: &Path) -> Result<Self> {
        let mut command = Command::new("cargo");
        command.current_dir(sources).args([
            "tree",
            "--locked",
            "--target",
            TARGET,
            "--edges=no-build,no-dev,no-proc-macro",
            "--prefix=depth",
            "--format=\t{p}\t{l}\t{r}",
        ]);
        for program in ShippedProgram::ALL {
            command.args(["--package", program.name()]);
        }
        Ok(Self(read(&print(&mut command)?)))
    }

    /// The crates that are linked into `program`, itself included.
    pub(super) fn linked_into(&self, program: ShippedProgram) -> Result<Crates> {
        let root = self.0.keys().find(|found| found.name == program.name());
        let root = root.with_context(|| format!("cargo tree does not list {}", program.name()))?;
        let mut linked = Crates::new();
        let mut rest = vec![root];
        while let Some(next) = rest.pop() {
            if let (false, Some(about)) = (linked.contains_key(next), self.0.get(next)) {
                linked.insert(next.clone(), about.clone());
                rest.extend(&about.uses);
            }
        }
        Ok(linked)
    }
}

/// Reads lines of a depth, a crate, its licence and its repository. What a crate uses is listed below the
/// first mention of it; others end with `(*)`.
fn read(tree: &str) -> Crates {
    let mut crates = Crates::new();
    let mut path: Vec<Crate> = Vec::new();
    for line in tree.lines() {
        let line = line.strip_suffix(" (*)").unwrap_or(line);
        let fields: Vec<&str> = line.split('\t').collect();
        let [depth, package, license, repository] = fields.as_slice() else {
            continue;
        };
        let mut words = package.split(' ');
        let (Ok(depth), Some(name), Some(version)) =
            (depth.parse::<usize>(), words.next(), words.next())
        else {
            continue;
        };
        let found = Crate {
            name: name.to_owned(),
            version: version.trim_start_matches('v').to_owned(),
        };
        path.truncate(depth);
        if let Some(user) = path.last().and_then(|user| crates.get_mut(user)) {
            user.uses.insert(found.clone());
        }
        let about = crates.entry(found.clone()).or_default();
        (*license).clone_into(&mut about.license);
        (*repository).clone_into(&mut about.repository);
        path.push(found);
    }
    crates
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
0\tpodid v0.1.0 (/x/cli)\tApache-2.0\thttps://podid.dev
1\ta v1.0.0\tMIT\t
2\tb v2.0.0\tMIT/Apache-2.0\thttps://b.example

0\tpodid-nmi v0.1.0 (/x/nmi)\tApache-2.0\thttps://podid.dev
1\tb v1.0.0\tMIT\t
1\ta v1.0.0\tMIT\t (*)
";

    fn names(program: ShippedProgram) -> Vec<String> {
        let linked = Tree(read(TREE)).linked_into(program).unwrap();
        let name = |found: &Crate| format!("{} {}", found.name, found.version);
        linked.keys().map(name).collect()
    }

    #[test]
    fn a_program_has_what_its_crates_use_wherever_that_is_listed() {
        assert_eq!(
            names(ShippedProgram::Podid),
            ["a 1.0.0", "b 2.0.0", "podid 0.1.0"]
        );
        let both = ["a 1.0.0", "b 1.0.0", "b 2.0.0", "podid-nmi 0.1.0"];
        assert_eq!(names(ShippedProgram::PodidNmi), both);
    }

    #[test]
    fn a_program_that_is_not_listed_is_named() {
        let tree = Tree(read(TREE));
        let error = tree.linked_into(ShippedProgram::PodidOperator).unwrap_err();
        assert!(error.to_string().contains("podid-operator"), "{error}");
    }
}
