//! What a plan is made from: a file, a folder, or two versions of a repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use git2::Repository;
use kube::ResourceExt;
use podid_crds::podid::PodIdentityProfile;

use super::declared::{Declared, DeclaredError};
use super::earlier::Earlier;
use super::error::PlanError;
use super::range::{self, RangeError, Side};
use crate::output;
use crate::repository::remote::RepositoryKey;
use crate::tree::{Clusters, Kustomize, ManifestTree, OwnSources, Rendered, SourceFile, TreeError};

/// Kinds beside podid's own that a plan could be expected to tell about.
const NEIGHBOURS: [&str; 4] = [
    "HelmRelease",
    "AzureIdentity",
    "AzureIdentityBinding",
    "AzurePodIdentityException",
];

/// One cluster's version, or versions.
#[derive(Debug)]
pub(super) struct Input {
    /// Folder of the cluster, where several are planned.
    pub(super) cluster: Option<String>,
    pub(super) new: Declared,
    pub(super) old: Option<Earlier>,
}

/// How folders are rendered.
pub(super) struct Rendering<'a> {
    /// Folder of the repository in which Flux's paths begin; else that of the working tree.
    pub(super) root: Option<&'a Path>,
    /// Repository of a range.
    pub(super) repo: &'a Path,
    /// Folder of a range.
    pub(super) path: &'a Path,
    pub(super) kustomize: Kustomize,
    pub(super) variables: &'a [(String, String)],
    /// Sources of Flux's that the user knows to be made of the tree, as `KIND/NAME`.
    pub(super) sources: &'a [String],
}

impl Rendering<'_> {
    /// What is named: `-`, a file, a folder, or a range of commits.
    pub(super) fn inputs(&self, what: &Path) -> Result<Vec<Input>, PlanError> {
        let text = what.to_string_lossy();
        // A folder in the tree may have the name of a range that a pipeline asks for.
        if text.contains("..") && (!what.exists() || range::names_commits(self.repo, &text)) {
            return self.range(&text);
        }
        if what.is_dir() {
            return self.folder(what);
        }
        Ok(vec![Input {
            cluster: None,
            new: file(what)?,
            old: None,
        }])
    }

    fn folder(&self, folder: &Path) -> Result<Vec<Input>, PlanError> {
        let repository = Repository::discover(folder).ok();
        let discovered = repository.as_ref().and_then(Repository::workdir);
        let root = self.root.or(discovered).unwrap_or(folder);
        let own = self.own_sources(repository.as_ref());
        let tree = ManifestTree::new(root, self.kustomize.clone(), own)?;
        let below = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let clusters = tree.clusters(&below)?.folders();
        let many = clusters.len() > 1;
        let inputs = clusters.iter().map(|cluster| {
            Ok(Input {
                cluster: many.then(|| cluster.display().to_string()),
                new: self.declared(&tree, cluster)?,
                old: None,
            })
        });
        inputs.collect()
    }

    fn range(&self, range: &str) -> Result<Vec<Input>, PlanError> {
        let [old, new] = range::sides(self.repo, range).map_err(Box::new)?;
        let own = self.own_sources(Repository::discover(self.repo).ok().as_ref());
        let tree = |side: &Side| {
            let root = side.folder.path().join(self.root.unwrap_or(Path::new("")));
            ManifestTree::new(&root, self.kustomize.clone(), own.clone())
        };
        let (before, after) = (tree(&old)?, tree(&new)?);
        if [&old, &new]
            .iter()
            .all(|side| !side.folder.path().join(self.path).is_dir())
        {
            let (path, range) = (self.path.to_owned(), range.to_owned());
            return Err(Box::new(RangeError::NoFolder { path, range }).into());
        }
        let clusters = (self.clusters(&before, &old)?, self.clusters(&after, &new)?);
        let is_first = matches!(clusters, (Clusters::Whole(_), Clusters::Each(_)));
        let pairs = pairs(clusters.0, clusters.1);
        let many = pairs.len() > 1;
        let declared =
            |tree: &ManifestTree, side: &Side, folder: &Path| match side.folder.path().join(folder)
            {
                path if path.is_dir() => self.declared(tree, folder),
                _ => Ok(Declared::default()),
            };
        let folders: BTreeSet<PathBuf> = pairs.iter().map(|pair| pair.old.clone()).collect();
        let earlier = folders.into_iter().map(|folder| {
            let earlier = declared(&before, &old, &folder);
            let earlier = earlier.map(|declared| Earlier::of_files(declared, &old.name));
            // A commit that mends it needs a plan more than others.
            let earlier = earlier.map_err(|error| {
                let why = output::sentence(&error);
                format!(
                    "{} cannot be planned, so all counts as new: {why}",
                    old.name
                )
            });
            (folder, earlier)
        });
        let earlier: BTreeMap<PathBuf, Result<Earlier, String>> = earlier.collect();
        let inputs = pairs.into_iter().map(|pair| {
            let mut new = declared(&after, &new, &pair.new)?;
            let (old, note) = match earlier[&pair.old].clone() {
                Ok(earlier) => (Some(earlier), None),
                Err(note) => (None, Some(note)),
            };
            new.notes.extend(note);
            Ok(Input {
                cluster: many.then(|| pair.name().display().to_string()),
                new,
                old,
            })
        });
        let mut inputs: Vec<Input> = inputs.collect::<Result<_, PlanError>>()?;
        if is_first {
            let rest = self.rest(&new, own)?;
            add_rest(&mut inputs, rest);
        }
        Ok(inputs)
    }

    /// What the newer version declares beside the folders of its clusters.
    fn rest(&self, new: &Side, own: OwnSources) -> Result<Declared, PlanError> {
        let root = new.folder.path().join(self.root.unwrap_or(Path::new("")));
        let folder = root.join(self.path);
        std::fs::remove_dir_all(folder.join("clusters")).map_err(TreeError::Temporary)?;
        let tree = ManifestTree::new(&root, self.kustomize.clone(), own)?;
        self.declared(&tree, &folder)
    }

    /// The sources that are made of this repository, as far as it is known beforehand.
    fn own_sources(&self, repository: Option<&Repository>) -> OwnSources {
        let url = |name: &str| {
            let remote = repository?.find_remote(name).ok()?;
            RepositoryKey::of(remote.url().ok()?)
        };
        let names = repository.and_then(|it| it.remotes().ok());
        let names = names.iter().flat_map(|names| names.iter().flatten());
        OwnSources {
            remotes: names.flatten().filter_map(url).collect(),
            named: self.sources.to_vec(),
        }
    }

    /// The clusters of one side; the folder that is planned where it is not there.
    fn clusters(&self, tree: &ManifestTree, side: &Side) -> Result<Clusters, PlanError> {
        if !side.folder.path().join(self.path).is_dir() {
            return Ok(Clusters::Whole(self.path.to_owned()));
        }
        Ok(tree.clusters(self.path)?)
    }

    fn declared(&self, tree: &ManifestTree, folder: &Path) -> Result<Declared, PlanError> {
        let rendered = tree.render(folder, self.variables)?;
        let mut declared = Declared::new(rendered)?;
        // A tree holds much that has nothing to do with podid.
        let neighbour = |kind: &str| NEIGHBOURS.contains(&kind);
        declared.others.retain(|object| neighbour(object.kind()));
        Ok(declared)
    }
}

/// Folders of both sides that are compared.
struct Pair {
    old: PathBuf,
    new: PathBuf,
}

impl Pair {
    /// The folder of a cluster, where one of both is.
    fn name(&self) -> &Path {
        let longer = self.old.components().count() > self.new.components().count();
        if longer { &self.old } else { &self.new }
    }
}

/// Which folders are compared: those of the same cluster. A side that has no folders of clusters, as before the
/// first one is committed, is compared as a whole with each cluster of the other.
fn pairs(old: Clusters, new: Clusters) -> Vec<Pair> {
    match (old, new) {
        (Clusters::Whole(old), new) => {
            let new = new.folders().into_iter();
            let with = |new| Pair {
                old: old.clone(),
                new,
            };
            new.map(with).collect()
        }
        (Clusters::Each(old), Clusters::Whole(new)) => {
            let with = |old| Pair {
                old,
                new: new.clone(),
            };
            old.into_iter().map(with).collect()
        }
        (Clusters::Each(old), Clusters::Each(new)) => {
            let all: BTreeSet<PathBuf> = old.into_iter().chain(new).collect();
            let same = |folder: PathBuf| Pair {
                old: folder.clone(),
                new: folder,
            };
            all.into_iter().map(same).collect()
        }
    }
}

/// Where the older version knows no clusters: it stands against each cluster, in which nothing of it is deleted, and
/// against the rest of the newer version, in which what a cluster has now is not.
fn add_rest(inputs: &mut Vec<Input>, mut rest: Declared) {
    let key = |profile: &PodIdentityProfile| {
        let namespace = profile.namespace().unwrap_or_default();
        (namespace, profile.name_any())
    };
    let profiles = inputs.iter().flat_map(|input| &input.new.profiles);
    let moved: BTreeSet<_> = profiles.map(|profile| key(&profile.object)).collect();
    let classes = inputs.iter().flat_map(|input| input.new.classes.clone());
    for (name, class) in classes.collect::<Vec<_>>() {
        rest.classes.entry(name).or_insert(class);
    }
    let earlier = inputs.iter().find_map(|input| input.old.clone());
    for old in inputs.iter_mut().filter_map(|input| input.old.as_mut()) {
        let all = old.declared.profiles.iter();
        old.stay = all.map(|profile| key(&profile.object)).collect();
    }
    inputs.push(Input {
        cluster: Some("beside clusters".to_owned()),
        new: rest,
        old: earlier.map(|earlier| Earlier {
            stay: moved,
            ..earlier
        }),
    });
}

/// All objects of a file, `-` being standard input.
pub(super) fn file(file: &Path) -> Result<Declared, PlanError> {
    let source = Rc::new(SourceFile::read(file, file.to_owned())?);
    let objects = SourceFile::objects(&source)?;
    let rendered = Rendered {
        objects,
        ..Rendered::default()
    };
    let declared = Declared::new(rendered.once()?)?;
    if declared.is_empty() {
        let file = file.to_owned();
        return Err(DeclaredError::Empty { file }.into());
    }
    Ok(declared)
}
