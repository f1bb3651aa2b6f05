//! Flux's custom resource definitions, taken from its modules as they are.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::cache::{self, Cache, CacheError};
use super::error::ToolsError;
use super::go::Go;
use super::space::DiskFull;

/// Modules that carry definitions, with the checksum go.sum would hold.
/// The programs of source-controller and notification-controller are not built, but their kinds are Flux's.
const MODULES: [(&str, &str); 4] = [
    (
        "github.com/fluxcd/source-controller@v1.9.4",
        "h1:psO6g4NTAMl3GD9gL8TMF3shM939XhTjFvlQXCK3pZ4=",
    ),
    (
        "github.com/fluxcd/kustomize-controller@v1.9.4",
        "h1:VBnBMhnemqnE5Zca2AoG2gC4472MoiTmk9rdqvLoMcY=",
    ),
    (
        "github.com/fluxcd/helm-controller@v1.6.4",
        "h1:u/Ew7LehrwDQaE/NqWdaB3XnNDCxRGDcp1FZl7RKj4g=",
    ),
    (
        "github.com/fluxcd/notification-controller@v1.9.3",
        "h1:vBONN/Lx5aQ2nDnJxYp5Sb0Wsgh13UbuP5A1MK4dmkY=",
    ),
];

/// What `go mod download -json` says.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Download {
    #[serde(default)]
    dir: PathBuf,
    #[serde(default)]
    sum: String,
    #[serde(default)]
    error: String,
}

/// All that the definitions come from.
pub(super) fn inputs() -> Vec<&'static str> {
    let parts = MODULES.iter().flat_map(|(module, sum)| [*module, *sum]);
    parts.collect()
}

/// Name of the collected definitions in the cache.
pub(super) fn key(go: &Go) -> String {
    let mut parts: Vec<&str> = inputs();
    parts.push(&go.version);
    format!("definitions-{}", cache::key(parts))
}

/// Name in the cache of the link to those that any Go downloaded.
pub(super) fn link() -> String {
    format!("definitions-{}.built", cache::key(inputs()))
}

/// Collects the definitions of all modules in the cache.
pub(super) fn collect(go: &Go, cache: &Cache) -> Result<(), ToolsError> {
    cache.fill(&key(go), |dir| {
        for (module, sum) in MODULES {
            let source = download(go, dir, module, sum)?.join("config/crd/bases");
            copy_all(&source, dir).map_err(CacheError::from)?;
        }
        Ok(())
    })
}

fn download(go: &Go, into: &Path, module: &str, sum: &str) -> Result<PathBuf, ToolsError> {
    let failed = |reason: String| match DiskFull::behind(into, &reason) {
        Some(disk) => ToolsError::Full {
            what: format!("the definitions of {module}"),
            disk,
        },
        None => ToolsError::Definitions {
            module: module.to_owned(),
            reason,
        },
    };
    let output = go
        .command()
        .args(["mod", "download", "-json", module])
        .env_remove("GOFLAGS")
        .current_dir("/")
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let answer: Download = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))?;
    if !answer.error.is_empty() {
        return Err(failed(answer.error));
    }
    if answer.sum != sum {
        return Err(failed(format!("its checksum is {}, not {sum}", answer.sum)));
    }
    Ok(answer.dir)
}

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        // Read and write, not copy: files in the module cache are read-only.
        fs::write(to.join(entry.file_name()), fs::read(entry.path())?)?;
    }
    Ok(())
}
