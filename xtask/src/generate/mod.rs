//! What is generated from the code and checked in.

mod kinds;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{process, ui};

/// A generated file: where it is, and what it must hold.
#[derive(Debug)]
struct Generated {
    path: PathBuf,
    content: String,
}

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
    Ok(files)
}

/// Writes every generated file that differs.
pub(crate) fn write() -> Result<()> {
    for Generated { path, content } in all()? {
        let full = process::root().join(&path);
        if fs::read_to_string(&full).ok().as_ref() == Some(&content) {
            continue;
        }
        if let Some(folder) = full.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(&full, content).with_context(|| format!("cannot write {}", full.display()))?;
        ui::good(&format!("wrote {}", path.display()), None);
    }
    Ok(())
}

/// Every generated file that is not what the code would write now.
pub(crate) fn stale() -> Result<Vec<String>> {
    Ok(all()?
        .into_iter()
        .filter(|file| {
            let on_disk = fs::read_to_string(process::root().join(&file.path)).ok();
            on_disk.as_ref() != Some(&file.content)
        })
        .map(|file| {
            format!(
                "{} is not what `cargo xtask gen` writes",
                file.path.display()
            )
        })
        .collect())
}
