//! Paths of the clone that a program would carry with it. Cargo does not build anew what was copied
//! or moved, so a path that was compiled in leads to the other clone.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::cargo;

/// Variables that hold such a path, when they are read while compiling.
const VARIABLES: [&str; 2] = ["CARGO_MANIFEST_DIR", "CARGO_BIN_EXE_"];

/// Every line in our own sources that compiles a path in.
pub(super) fn check() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for package in cargo::metadata()?.workspace_packages() {
        let manifest = package.manifest_path.as_std_path();
        for folder in ["src", "tests", "benches", "examples"] {
            look(&manifest.with_file_name(folder), &mut found)?;
        }
    }
    Ok(found)
}

fn look(folder: &Path, found: &mut Vec<String>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let unreadable = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.is_dir() {
            look(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            found.extend(in_source(&text).map(|(line, variable)| {
                format!(
                    "{}:{line} compiles {variable} in: find it at run time",
                    path.display()
                )
            }));
        }
    }
    Ok(())
}

/// Lines of a source file, from 1, that compile one of the variables in.
fn in_source(text: &str) -> impl Iterator<Item = (usize, &'static str)> + '_ {
    (1..).zip(text.lines()).flat_map(|(number, line)| {
        let holds = move |variable: &&str| line.contains(&format!("env!(\"{variable}"));
        let variables = VARIABLES.into_iter().filter(holds);
        variables.map(move |variable| (number, variable))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_compiled_in_is_found_and_one_that_is_looked_up_is_not() {
        let source = VARIABLES.map(|variable| format!("let a = env!(\"{variable}\");"));
        let source = format!(
            "let a = std::env::var(\"CARGO_MANIFEST_DIR\");\n{}\n",
            source.join("\n")
        );
        let found: Vec<_> = in_source(&source).collect();
        assert_eq!(found, [(2, VARIABLES[0]), (3, VARIABLES[1])]);
    }
}
