//! What is generated from the code and checked in: CRDs, references, and parts of the chart. `cargo xtask gen` runs it;
//! with `--check` it writes nothing, and fails if a file is not what it would write.
#![allow(clippy::print_stdout)]

mod azure_roles;
mod chart;
mod daemons;
mod generated;
mod kinds;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use podid_tests::programs;

use generated::Generated;

fn all() -> Result<Vec<Generated>> {
    let mut files: Vec<Generated> = podid_crds::manifests::manifests()?
        .into_iter()
        .map(|manifest| Generated {
            path: PathBuf::from("crds/manifests").join(manifest.file),
            content: manifest.content,
        })
        .collect();
    files.push(Generated {
        path: "docs/reference/kinds.md".into(),
        content: kinds::page()?,
    });
    files.push(Generated {
        path: "docs/reference/cli.md".into(),
        content: podid::cli_reference(),
    });
    files.push(Generated {
        path: "docs/reference/daemons.md".into(),
        content: daemons::page()?,
    });
    files.extend(azure_roles::files()?);
    files.extend(chart::files()?);
    Ok(files)
}

/// Writes every generated file that differs.
fn write() -> Result<()> {
    for Generated { path, content } in all()? {
        let full = programs::repository().join(&path);
        if fs::read_to_string(&full).ok().as_ref() == Some(&content) {
            continue;
        }
        if let Some(folder) = full.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(&full, content).with_context(|| format!("cannot write {}", full.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// Every generated file that is not what the code would write now.
fn stale() -> Result<Vec<PathBuf>> {
    let current = |file: &Generated| {
        let on_disk = fs::read_to_string(programs::repository().join(&file.path)).ok();
        on_disk.as_ref() == Some(&file.content)
    };
    Ok(all()?
        .into_iter()
        .filter(|file| !current(file))
        .map(|file| file.path)
        .collect())
}

fn main() -> Result<ExitCode> {
    if std::env::args().nth(1).as_deref() != Some("--check") {
        write()?;
        return Ok(ExitCode::SUCCESS);
    }
    let stale = stale()?;
    for path in &stale {
        println!("{} is not what `cargo xtask gen` writes", path.display());
    }
    Ok(if stale.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
