//! The Go programs of the lab: built once from pinned modules into a cache
//! outside the clone.
//!
//! Each group of programs has a go.mod of its own, because their requirements
//! conflict. A built group is in a directory named by the hash of all its
//! inputs, including Go's version; a **toolset** is a directory of links to one
//! build of each group. The name of a toolset does not depend on Go: one that is
//! complete is used with any Go on the machine, or none.
//!
//! Go's own build cache is used for what it holds, compiled packages, but does
//! not replace this one: it can be asked only through a Go, and only one of the
//! version that filled it; it removes what was not used for five days; and the
//! programs would be linked anew, 20 s and more, in every clone. Here a complete
//! toolset costs a few file lookups.

mod build;
mod cache;
mod definitions;
mod error;
mod go;
mod groups;
mod progress;
mod space;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

pub use cache::{CacheError, root as cache_root};
pub use error::ToolsError;
pub use go::GoError;
pub use space::DiskFull;

use build::Plan;
use cache::Cache;
use go::Go;
use groups::GROUPS;
use progress::Progress;

/// Built programs and definitions, ready to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolset(PathBuf);

impl Toolset {
    /// The toolset in `path`, as another process found it.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The directory, with `bin` and `crds` in it.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The program called `name`.
    pub fn bin(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// The etcd server.
    pub fn etcd(&self) -> PathBuf {
        self.bin("etcd")
    }

    /// The Kubernetes API server.
    pub fn kube_apiserver(&self) -> PathBuf {
        self.bin("kube-apiserver")
    }

    /// Flux's custom resource definitions, one file per kind.
    pub fn crds(&self) -> PathBuf {
        self.0.join("crds")
    }
}

/// Returns the toolset, building what is missing. `KUBEBUILDER_ASSETS` is
/// asked first for what it usually holds: etcd, kube-apiserver, kubectl.
///
/// Tells on standard error what is built. Another process that builds is
/// waited for.
pub fn ensure() -> Result<Toolset, ToolsError> {
    let cache = Cache::open()?;
    let assets = Assets::from_env();
    let plans: Vec<Plan> = GROUPS
        .iter()
        .filter_map(|group| Plan::new(group, |name| assets.has(name)))
        .collect();
    let name = set_name(&plans, &assets);
    let set = cache.dir(&name);
    if !is_whole(&set, &plans) {
        build(&cache, &name, &plans, &assets)?;
    }
    Ok(Toolset(set))
}

/// Whether the set is there with all that it links to.
fn is_whole(set: &Path, plans: &[Plan]) -> bool {
    let mut programs = plans.iter().flat_map(Plan::programs);
    set.join("crds").exists() && programs.all(|program| set.join("bin").join(program).exists())
}

fn set_name(plans: &[Plan], assets: &Assets) -> String {
    let mut parts: Vec<&str> = plans.iter().flat_map(Plan::inputs).collect();
    parts.extend(definitions::inputs());
    parts.extend(assets.identity());
    format!("set-{}", cache::key(parts))
}

/// Builds what the set called `name` lacks, then the set.
fn build(cache: &Cache, name: &str, plans: &[Plan], assets: &Assets) -> Result<(), ToolsError> {
    let _lock = cache.lock()?;
    if is_whole(&cache.dir(name), plans) {
        return Ok(());
    }
    cache.clear_partial()?;
    // To free space, people remove builds.
    cache.remove(name)?;
    let go = Go::find(cache)?;
    let missing: Vec<&Plan> = plans
        .iter()
        .filter(|plan| !cache.dir(&plan.key(&go)).exists())
        .collect();
    let progress = Progress::new(missing.len());
    for plan in missing {
        plan.build(&go, cache, &progress)?;
    }
    definitions::collect(&go, cache)?;
    cache.fill(name, |dir| {
        link_all(dir, &go, plans, assets).map_err(ToolsError::from)
    })
}

/// Links are relative, so a cache that moved as a whole still works.
fn link_all(dir: &Path, go: &Go, plans: &[Plan], assets: &Assets) -> Result<(), CacheError> {
    let bin = dir.join("bin");
    std::fs::create_dir(&bin)?;
    for plan in plans {
        let built = Path::new("../..").join(plan.key(go));
        for program in plan.programs() {
            symlink(built.join(program), bin.join(program))?;
        }
    }
    for (name, path) in &assets.0 {
        symlink(path, bin.join(name))?;
    }
    let definitions = Path::new("..").join(definitions::key(go));
    Ok(symlink(definitions, dir.join("crds"))?)
}

/// Programs the user has already, from `KUBEBUILDER_ASSETS`.
struct Assets(Vec<(&'static str, PathBuf)>);

impl Assets {
    fn from_env() -> Self {
        let Some(dir) = std::env::var_os("KUBEBUILDER_ASSETS").filter(|dir| !dir.is_empty()) else {
            return Self(Vec::new());
        };
        let usual = ["etcd", "kube-apiserver", "kubectl"];
        let there = usual.map(|name| (name, Path::new(&dir).join(name)));
        Self(
            there
                .into_iter()
                .filter(|(_, path)| path.is_file())
                .collect(),
        )
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }

    fn identity(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter_map(|(_, path)| path.to_str())
            .collect()
    }
}
