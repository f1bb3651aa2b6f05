//! Which program renders kustomizations.

use std::path::{Path, PathBuf};

use super::error::TreeError;

/// The program that renders kustomizations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kustomize {
    /// Where the user says it is; else `kustomize`, else `kubectl kustomize`, of the path.
    pub(crate) named: Option<PathBuf>,
}

impl Kustomize {
    /// The program and its first argument.
    pub(super) fn command(&self, folder: &Path) -> Result<(String, &'static str), TreeError> {
        if let Some(named) = &self.named {
            let is_kubectl = named
                .file_stem()
                .is_some_and(|name| name.to_string_lossy().starts_with("kubectl"));
            let verb = if is_kubectl { "kustomize" } else { "build" };
            return Ok((named.display().to_string(), verb));
        }
        for (program, verb) in [("kustomize", "build"), ("kubectl", "kustomize")] {
            if is_on_path(program) {
                return Ok((program.to_owned(), verb));
            }
        }
        Err(TreeError::NoProgram {
            folder: folder.to_owned(),
        })
    }
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
