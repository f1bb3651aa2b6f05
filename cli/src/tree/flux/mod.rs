//! Flux's Kustomizations, followed as kustomize-controller would follow them.

mod overlay;
mod part;
mod source;
mod variables;

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::error::TreeError;
use super::manifest_tree::{ManifestTree, Rendered};
use super::object::DeclaredObject;
use super::substitute::{self, Variables};
use overlay::Overlay;
use part::{Part, Reader};
use source::SourceRef;

/// API group of Flux's Kustomization.
const GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// Work in progress.
struct Rendering<'a> {
    tree: &'a ManifestTree,
    variables: &'a [(String, String)],
    rendered: Rendered,
    /// The source of the Kustomization that applies the folder that was rendered first.
    sync: Option<SourceRef>,
    /// Kustomizations that are still to be followed.
    open: VecDeque<DeclaredObject>,
    /// Names of those that were found.
    seen: BTreeSet<String>,
    /// Folders that were followed, as people know them.
    followed: Vec<PathBuf>,
}

/// Renders `dir` and everything that Flux's Kustomizations in it lead to.
pub(super) fn render(
    tree: &ManifestTree,
    dir: &Path,
    variables: &[(String, String)],
) -> Result<Rendered, TreeError> {
    let start = part::read(tree, dir, &Overlay::default(), Reader::Person)?;
    let sync = sync_of(tree, &start.objects, dir);
    let instance = start.objects.iter().find(|it| it.kind() == "FluxInstance");
    let mut rendering = Rendering {
        tree,
        variables,
        rendered: Rendered::default(),
        sync: sync
            .map(SourceRef::of)
            .or_else(|| instance.and_then(SourceRef::of_instance)),
        open: VecDeque::new(),
        seen: BTreeSet::new(),
        followed: Vec::new(),
    };
    let sync = sync.cloned();
    rendering.start(dir, start, sync)?;
    let of_start = rendering.rendered.objects.len();
    rendering.follow_all()?;
    rendering.drop_followed(of_start);
    rendering.rendered.once()
}

/// The Kustomization by which Flux applies `dir` itself. One of another repository may have the same path.
fn sync_of<'a>(
    tree: &ManifestTree,
    objects: &'a [DeclaredObject],
    dir: &Path,
) -> Option<&'a DeclaredObject> {
    let applies = |object: &&DeclaredObject| {
        is_kustomization(object)
            && tree
                .inside(&path_of(tree, object))
                .is_ok_and(|it| it == dir)
    };
    let is_own = |object: &&DeclaredObject| {
        let source = SourceRef::of(object);
        source.is_own(&tree.own, None, source.declared(objects))
    };
    let candidates: Vec<_> = objects.iter().filter(applies).collect();
    let own = candidates.iter().find(|it| is_own(it));
    // The path of a team's own repository is seldom the path of a cluster in this one, but often the root.
    let by_place = |it: &&&DeclaredObject| dir != tree.root || it.name() == "flux-system";
    own.or(candidates.iter().find(by_place)).copied()
}

fn is_kustomization(object: &DeclaredObject) -> bool {
    object.group() == GROUP && object.kind() == "Kustomization"
}

/// The folder that a Kustomization applies, if this tree is its source.
fn path_of(tree: &ManifestTree, kustomization: &DeclaredObject) -> PathBuf {
    let path = kustomization.value["spec"]["path"].as_str().unwrap_or(".");
    tree.root.join(path.trim_start_matches('/'))
}

impl Rendering<'_> {
    /// Takes the folder that was rendered first, as its own Kustomization applies it, where it has one.
    fn start(
        &mut self,
        dir: &Path,
        mut start: Part,
        sync: Option<DeclaredObject>,
    ) -> Result<(), TreeError> {
        let Some(sync) = sync.filter(|sync| sync.value["spec"]["suspend"] != true) else {
            // What leads on to other folders is no folder of a team.
            let leads_on = start.objects.iter().any(is_kustomization);
            let variables = variables::of_flags(self.variables).filter(|_| !leads_on);
            return self.add_substituted(start, variables);
        };
        let overlay = Overlay::of(&sync, self.tree, dir)?;
        let variables = variables::of(&sync, &start.objects, self.variables);
        self.seen.insert(sync.described());
        self.prunes(&sync);
        let part = match (overlay.is_empty(), start.fault.take()) {
            (true, Some(fault)) => return Err(fault),
            (true, None) if !start.has_charts => start,
            _ => part::read(self.tree, dir, &overlay, Reader::Flux)?,
        };
        self.add_substituted(part, variables)
    }

    fn add_substituted(
        &mut self,
        mut part: Part,
        variables: Option<Variables>,
    ) -> Result<(), TreeError> {
        for variables in variables.iter() {
            for object in &mut part.objects {
                substitute::apply(object, variables)?;
            }
        }
        self.add(part);
        Ok(())
    }

    fn add(&mut self, part: Part) {
        for object in part.objects {
            if is_kustomization(&object) && self.seen.insert(object.described()) {
                self.open.push_back(object.clone());
            }
            self.rendered.objects.push(object);
        }
        self.rendered.notes.extend(part.notes);
        self.rendered.patches.extend(part.patches);
    }

    /// Follows Kustomizations until there are no more. One whose source or variables may be in what others lead
    /// to is put off until those are followed.
    fn follow_all(&mut self) -> Result<(), TreeError> {
        let mut put_off = 0;
        while let Some(next) = self.open.pop_front() {
            let objects = &self.rendered.objects;
            let lacks_source = SourceRef::of(&next).declared(objects).is_none();
            let lacks = lacks_source || variables::lacks(&next, objects);
            if lacks && put_off < self.open.len() {
                put_off += 1;
                self.open.push_back(next);
                continue;
            }
            put_off = 0;
            match self.obstacle(&next) {
                Some(why) => self.note(&next, &why),
                None => self.follow(&next)?,
            }
        }
        Ok(())
    }

    fn note(&mut self, kustomization: &DeclaredObject, why: &str) {
        let what = kustomization.described();
        let note = format!("what {what} applies is not planned: {why}");
        self.rendered.notes.push(note);
    }

    /// Why a Kustomization is not followed.
    fn obstacle(&self, kustomization: &DeclaredObject) -> Option<String> {
        let spec = &kustomization.value["spec"];
        if spec["suspend"] == true {
            return Some("it is suspended".to_owned());
        }
        if !spec["kubeConfig"].is_null() {
            return Some("it applies to another cluster".to_owned());
        }
        let source = SourceRef::of(kustomization);
        let declared = source.declared(&self.rendered.objects);
        if !source.is_own(&self.tree.own, self.sync.as_ref(), declared) {
            let described = source.described(declared);
            return Some(format!(
                "its source is {described}, which is not this repository; if it is, add --source {}",
                source.flag()
            ));
        }
        if !path_of(self.tree, kustomization).is_dir() {
            let path = spec["path"].as_str().unwrap_or(".");
            let name = spec["sourceRef"]["name"].as_str().unwrap_or("?");
            let kind = spec["sourceRef"]["kind"].as_str().unwrap_or("source");
            return Some(format!(
                "its path {path} of {kind} {name} is not in this tree"
            ));
        }
        None
    }

    /// Adds what a Kustomization applies.
    fn follow(&mut self, kustomization: &DeclaredObject) -> Result<(), TreeError> {
        let dir = self.tree.inside(&path_of(self.tree, kustomization))?;
        let overlay = Overlay::of(kustomization, self.tree, &dir)?;
        let part = part::read(self.tree, &dir, &overlay, Reader::Flux)?;
        let variables = variables::of(kustomization, &self.rendered.objects, self.variables);
        self.followed.push(self.tree.shown(&dir));
        self.prunes(kustomization);
        self.add_substituted(part, variables)
    }

    fn prunes(&mut self, kustomization: &DeclaredObject) {
        if kustomization.value["spec"]["prune"] == true {
            let namespace = kustomization.namespace().unwrap_or_default();
            let name = format!("{namespace}/{}", kustomization.name());
            self.rendered.prune.insert(name);
        }
    }

    /// Drops those of the first objects whose folder a Kustomization applies: they count as it applies them.
    fn drop_followed(&mut self, of_start: usize) {
        let is_followed = |object: &DeclaredObject| {
            let source = object.source.as_ref();
            source.is_some_and(|it| self.followed.iter().any(|dir| it.path.starts_with(dir)))
        };
        let mut index = 0;
        self.rendered.objects.retain(|object| {
            index += 1;
            index > of_start || !is_followed(object)
        });
    }
}
