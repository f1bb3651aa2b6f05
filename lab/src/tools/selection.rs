//! The programs one command asks for, and their toolset.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::build::Plan;
use super::cache::{self, Cache, CacheError};
use super::definitions;
use super::error::ToolsError;
use super::go::Go;
use super::groups::{GROUPS, Group, ToolGroup};
use super::nft;
use super::progress::Progress;

/// What is asked for, and where each part of it comes from.
pub(super) struct Selection {
    plans: Vec<Plan>,
    /// Whether the kinds of Flux belong to it.
    flux_kinds: bool,
    /// Whether `nft` belongs to it: it is needed, and the system has none.
    nft: bool,
    assets: Assets,
}

impl Selection {
    /// All programs of `groups`; the order in which they are named does not matter.
    pub(super) fn of(groups: &[ToolGroup]) -> Result<Self, ToolsError> {
        unambiguous(groups)?;
        Ok(Self::with(groups, Assets::from_env()))
    }

    fn with(groups: &[ToolGroup], assets: Assets) -> Self {
        let replaced = asked(groups).filter(|group| group.id.may_be_had());
        let assets = assets.of(replaced.flat_map(|group| group.programs));
        Self {
            plans: asked(groups)
                .filter_map(|group| Plan::new(group, |name| assets.has(name)))
                .collect(),
            flux_kinds: groups.iter().any(|group| group.needs_flux_kinds()),
            nft: groups.iter().any(|group| group.needs_nft()) && !nft::is_installed(),
            assets,
        }
    }

    /// Name of the toolset in the cache.
    pub(super) fn name(&self) -> String {
        let mut parts: Vec<&str> = self.plans.iter().flat_map(Plan::inputs).collect();
        if self.flux_kinds {
            parts.extend(definitions::inputs());
        }
        parts.extend(self.nft.then_some(nft::PROGRAM));
        parts.extend(self.assets.identity());
        format!("set-{}", cache::key(parts))
    }

    /// Whether the toolset `set` is there with all that it links to.
    pub(super) fn is_whole(&self, set: &Path) -> bool {
        let bin = set.join("bin");
        let mut plans = self.plans.iter();
        bin.exists()
            && plans.all(|plan| plan.is_in(&bin))
            && (!self.flux_kinds || set.join("crds").exists())
            && (!self.nft || bin.join(nft::PROGRAM).exists())
    }

    /// Builds what the toolset lacks, then the toolset.
    pub(super) fn complete(&self, cache: &Cache) -> Result<(), ToolsError> {
        let _lock = cache.lock()?;
        let name = self.name();
        if self.is_whole(&cache.dir(&name)) {
            return Ok(());
        }
        cache.clear_partial()?;
        // To free space, people remove builds.
        cache.remove(&name)?;
        self.build(cache)?;
        cache.fill(&name, |dir| self.link(dir).map_err(ToolsError::from))
    }

    /// Builds what is not there; asks for a Go only if there is such a thing.
    fn build(&self, cache: &Cache) -> Result<(), ToolsError> {
        if self.nft {
            nft::fetch(cache)?;
        }
        let lacks = |link: &str| !cache.dir(link).exists();
        let plans = || self.plans.iter().filter(|plan| lacks(&plan.link()));
        let definitions = self.flux_kinds && lacks(&definitions::link());
        if plans().next().is_none() && !definitions {
            return Ok(());
        }
        let go = Go::find(cache)?;
        let unbuilt = plans().filter(|plan| lacks(&plan.key(&go)));
        let progress = Progress::new(unbuilt.count());
        for plan in plans() {
            plan.build(&go, cache, &progress)?;
            cache.link(&plan.link(), &plan.key(&go))?;
        }
        if definitions {
            definitions::collect(&go, cache)?;
            cache.link(&definitions::link(), &definitions::key(&go))?;
        }
        Ok(())
    }

    /// Links are relative, so a cache that moved as a whole still works.
    fn link(&self, set: &Path) -> Result<(), CacheError> {
        let bin = set.join("bin");
        std::fs::create_dir(&bin)?;
        for plan in &self.plans {
            let built = Path::new("../..").join(plan.link());
            for program in plan.programs() {
                symlink(built.join(program), bin.join(program))?;
            }
        }
        for (name, path) in &self.assets.0 {
            symlink(path, bin.join(name))?;
        }
        if self.nft {
            let fetched = Path::new("../..").join(nft::ENTRY);
            symlink(fetched.join(nft::PROGRAM), bin.join(nft::PROGRAM))?;
        }
        if self.flux_kinds {
            symlink(Path::new("..").join(definitions::link()), set.join("crds"))?;
        }
        Ok(())
    }
}

fn asked(groups: &[ToolGroup]) -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().filter(|group| groups.contains(&group.id))
}

/// Fails when two of the groups have a program of one name, as two releases of Kubernetes do.
fn unambiguous(groups: &[ToolGroup]) -> Result<(), ToolsError> {
    let mut owners = BTreeMap::new();
    for group in asked(groups) {
        for (program, _) in group.programs {
            if let Some(first) = owners.insert(*program, group.name) {
                return Err(ToolsError::Twice {
                    program,
                    first,
                    second: group.name,
                });
            }
        }
    }
    Ok(())
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

    /// Those that are among `programs`.
    fn of<'a>(mut self, programs: impl Iterator<Item = &'a (&'static str, &'static str)>) -> Self {
        let asked: Vec<&str> = programs.map(|(name, _)| *name).collect();
        self.0.retain(|(name, _)| asked.contains(name));
        self
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

#[cfg(test)]
mod tests {
    use super::*;
    use ToolGroup::{
        Etcd, Helm, HelmController, Kubernetes, Kubernetes1_30, Kubernetes1_33, KustomizeController,
    };

    fn selection(groups: &[ToolGroup]) -> Selection {
        Selection::with(groups, Assets(Vec::new()))
    }

    /// An etcd and a kubectl that the user has.
    fn with_assets(groups: &[ToolGroup]) -> Selection {
        let had = ["etcd", "kubectl"].map(|name| (name, Path::new("/had").join(name)));
        Selection::with(groups, Assets(had.into()))
    }

    fn programs(selection: &Selection) -> Vec<&str> {
        selection.plans.iter().flat_map(Plan::programs).collect()
    }

    /// Lays down what a build of the selection leaves in the cache, but the toolset.
    fn pretend_builds(selection: &Selection, cache: &Cache) {
        let links = selection
            .plans
            .iter()
            .map(|plan| (plan.link(), plan.programs()));
        let kinds = selection.flux_kinds.then(|| (definitions::link(), vec![]));
        for (link, programs) in links.chain(kinds) {
            let folder = cache.dir(&format!("{link}-of-some-go"));
            std::fs::create_dir(&folder).unwrap();
            for program in programs {
                std::fs::write(folder.join(program), "").unwrap();
            }
            cache
                .link(&link, folder.file_name().unwrap().to_str().unwrap())
                .unwrap();
        }
    }

    #[test]
    fn nothing_is_built_that_was_not_asked_for() {
        let control_plane = selection(&[Kubernetes, Etcd]);
        assert_eq!(
            programs(&control_plane),
            [
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubectl",
                "etcd"
            ]
        );
        assert!(!control_plane.flux_kinds);
        let flux = selection(&[Etcd, KustomizeController]);
        assert_eq!(programs(&flux), ["kustomize-controller", "etcd"]);
        assert!(flux.flux_kinds);
        assert!(programs(&selection(&[])).is_empty());
    }

    #[test]
    fn what_the_user_has_is_not_built() {
        let mine = with_assets(&[Kubernetes, Etcd]);
        assert_eq!(
            programs(&mine),
            [
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler"
            ]
        );
        // Of no account where it is not asked for.
        assert_eq!(with_assets(&[Helm]).name(), selection(&[Helm]).name());
        assert_ne!(with_assets(&[Etcd]).name(), selection(&[Etcd]).name());
    }

    #[test]
    fn a_release_that_is_asked_for_is_built_whatever_the_user_has() {
        let old = with_assets(&[Kubernetes1_30, Etcd]);
        let newest = selection(&[Kubernetes]);
        assert_eq!(programs(&old), programs(&newest));
        assert_ne!(old.name(), with_assets(&[Kubernetes1_33, Etcd]).name());
    }

    #[test]
    fn two_releases_do_not_share_a_toolset() {
        unambiguous(&[Kubernetes1_30, Etcd, Helm]).unwrap();
        let error = unambiguous(&[Kubernetes1_30, Kubernetes]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "kubernetes and kubernetes-1-30 both have kube-apiserver: ask for one of them at a time"
        );
    }

    #[test]
    fn a_toolset_is_named_by_what_is_in_it() {
        let all = [Kubernetes, Etcd, KustomizeController];
        let mut other = all;
        other.reverse();
        assert_eq!(selection(&all).name(), selection(&other).name());
        assert_ne!(selection(&all).name(), selection(&all[..2]).name());
    }

    #[test]
    fn a_toolset_of_what_is_built_is_made_without_go() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        pretend_builds(
            &selection(&[Kubernetes, Etcd, Helm, HelmController]),
            &cache,
        );
        for groups in [&[Kubernetes, Etcd][..], &[Helm, HelmController], &[]] {
            let wanted = selection(groups);
            wanted.complete(&cache).unwrap();
            let set = cache.dir(&wanted.name());
            assert!(wanted.is_whole(&set), "{groups:?}");
            let linked = std::fs::read_dir(set.join("bin")).unwrap();
            assert_eq!(linked.count(), programs(&wanted).len(), "{groups:?}");
            assert_eq!(set.join("crds").exists(), wanted.flux_kinds);
        }
    }

    #[test]
    fn a_toolset_that_lost_a_program_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let wanted = selection(&[Etcd, HelmController]);
        pretend_builds(&wanted, &cache);
        wanted.complete(&cache).unwrap();
        let set = cache.dir(&wanted.name());
        std::fs::remove_file(cache.dir(&definitions::link())).unwrap();
        assert!(!wanted.is_whole(&set));
        std::fs::remove_file(set.join("crds")).unwrap();
        assert!(selection(&[Etcd]).is_whole(&set));
        std::fs::remove_file(cache.dir(&wanted.plans[1].link()).join("etcd")).unwrap();
        assert!(!selection(&[Etcd]).is_whole(&set));
    }
}
