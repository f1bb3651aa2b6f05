//! What to do about each file: a decision from what the repository holds and what it should hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use podid_core::arm::ArmId;
use podid_crds::podid::{AccessLimit, ClassLimits, Neighbours};
use serde::Deserialize;
use serde_json::Value;

use super::manifests::{ClusterFile, FOLDER, GENERATED};
use super::template::Upkeep;
use crate::repository::FileChange;
use crate::repository::kustomization::{self, lists, with_resource};
use crate::repository::remote::RemoteError;

/// What to write, and what people should know.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// Files to be written; no file that stays as it is.
    pub(super) changes: Vec<FileChange>,
    pub(super) notes: Vec<String>,
}

/// Facts of a class from which the identities of its profiles follow.
const FACTS: [&str; 6] = [
    "clusterName",
    "tenantId",
    "subscriptionId",
    "resourceGroup",
    "location",
    "nodeResourceGroup",
];

/// Reads a file of the repository; `None` when it is not there.
pub(super) type Read<'a> = dyn Fn(&Path) -> Result<Option<String>, RemoteError> + 'a;

/// Decides about all files of the cluster path.
pub(super) fn decide(
    cluster_path: &Path,
    files: &[ClusterFile],
    read: &Read<'_>,
) -> Result<Decision, RemoteError> {
    let mut decision = Decision::default();
    for file in files {
        let old = read(&file.path)?;
        decision.file(file, old);
    }
    decision.cluster_kustomization(cluster_path, read)?;
    let sync = cluster_path.join("flux-system/gotk-sync.yaml");
    if read(&sync)?.is_none() {
        decision.notes.push(format!(
            "{} is not there: run `flux bootstrap` with --path={} if Flux does not sync this path yet",
            sync.display(),
            cluster_path.display()
        ));
    }
    Ok(decision)
}

impl Decision {
    fn file(&mut self, file: &ClusterFile, old: Option<String>) {
        let Some(text) = old else {
            if allows_nobody(&file.object) {
                self.notes.push(format!(
                    "{} lets no namespace use the class yet: list them there",
                    file.path.display()
                ));
            }
            self.write(file.path.clone(), None, file.text.clone());
            return;
        };
        match file.upkeep {
            Upkeep::Once => self.limits_stay(file, &text),
            Upkeep::Kustomization => self.list_all(&file.path, text, &resources(file)),
            Upkeep::Generated if !is_generated(&text) => self.notes.push(format!(
                "{} stays as it is: it does not begin with podid's line, so it is yours",
                file.path.display()
            )),
            Upkeep::Generated if same_text(&text, &file.text) => {}
            Upkeep::Generated => {
                self.facts_change(file, &text);
                self.write(file.path.clone(), Some(text), file.text.clone());
            }
        }
    }

    /// Facts of the class that this run gives another value: identities and rights follow from them.
    fn facts_change(&mut self, file: &ClusterFile, text: &str) {
        let old: Value = serde_saphyr::from_str(text).unwrap_or_default();
        let (old, new) = (&old["spec"], &file.object["spec"]);
        let changed = FACTS
            .iter()
            .filter(|fact| old[**fact].is_string() && old[**fact] != new[**fact]);
        for fact in changed {
            self.notes.push(format!(
                "{}: {fact} changes from {} to {}; see what follows with `podid plan` before Flux applies it",
                file.path.display(),
                old[*fact],
                new[*fact]
            ));
        }
    }

    /// What is asked for, and what the file of the limits does not have: it is its people's.
    fn limits_stay(&mut self, file: &ClusterFile, text: &str) {
        let Ok(old) = serde_saphyr::from_str::<Value>(text) else {
            return;
        };
        let has_neighbours = asks(neighbours(&old), neighbours(&file.object));
        if !has_neighbours || !covers(&limits(&old), &limits(&file.object)) {
            self.notes.push(format!(
                "{} stays as it is, so what --allow-namespace, --allow-access or --neighbours asks for is not in it: \
                 it is yours, add it there",
                file.path.display()
            ));
        }
    }

    /// The kustomization of the cluster path lists podid's folder. Without one, Flux finds the folder; and one that
    /// podid would make there could leave out, and so delete, what others have there.
    fn cluster_kustomization(
        &mut self,
        cluster_path: &Path,
        read: &Read<'_>,
    ) -> Result<(), RemoteError> {
        for name in kustomization::NAMES {
            let path = cluster_path.join(name);
            if let Some(text) = read(&path)? {
                self.list_all(&path, text, &[FOLDER.to_owned()]);
                break;
            }
        }
        Ok(())
    }

    fn list_all(&mut self, path: &Path, old: String, names: &[String]) {
        let mut new = old.clone();
        for name in names.iter().filter(|name| !lists(&old, name)) {
            match with_resource(&new, name) {
                Some(text) => new = text,
                None => self.notes.push(format!(
                    "add {name} to the resources of {}, or Flux skips it",
                    path.display()
                )),
            }
        }
        if new != old {
            self.write(path.to_owned(), Some(old), new);
        }
    }

    fn write(&mut self, path: PathBuf, old: Option<String>, new: String) {
        self.changes.push(FileChange {
            path,
            old,
            new,
            removed: false,
        });
    }
}

/// Whether it is the limits of a class without any namespace.
fn allows_nobody(object: &serde_json::Value) -> bool {
    let names = object.pointer("/spec/limits/namespaces/names");
    names
        .and_then(|names| names.as_array())
        .is_some_and(Vec::is_empty)
}

/// The limits of an object, which has none where it is no class.
fn limits(object: &Value) -> ClassLimits {
    ClassLimits::deserialize(&object["spec"]["limits"]).unwrap_or_default()
}

/// What the class of an object asks of neighbours.
fn neighbours(object: &Value) -> Option<Neighbours> {
    Neighbours::deserialize(&object["spec"]["neighbours"]).ok()
}

/// Whether a class asks of neighbours what is wanted, whatever it leaves out.
fn asks(old: Option<Neighbours>, wanted: Option<Neighbours>) -> bool {
    let of = |neighbours: Neighbours| (neighbours.rule, neighbours.scope);
    wanted.is_none() || old.map(of) == wanted.map(of)
}

/// Whether limits allow every namespace, and every role at every scope, that others name.
fn covers(limits: &ClassLimits, asked: &ClassLimits) -> bool {
    let names = |limits: &ClassLimits| {
        let namespaces = limits.namespaces.iter();
        let names = namespaces.flat_map(|namespaces| namespaces.names.iter().flatten());
        names.cloned().collect::<BTreeSet<_>>()
    };
    let (all, wanted) = (names(limits), names(asked));
    let scopes_of = |role: &str| {
        let rules = limits.access.iter().flatten();
        let rules = rules.filter(move |rule| rule.role.eq_ignore_ascii_case(role));
        rules
            .flat_map(|rule| rule.scopes.iter().map(ArmId::new))
            .collect::<Vec<_>>()
    };
    let has_access = |rule: &AccessLimit| {
        let known = scopes_of(&rule.role);
        let is_below = |scope: &String| known.iter().any(|known| known.covers(&ArmId::new(scope)));
        rule.scopes.iter().all(is_below)
    };
    (all.contains("*") || all.is_superset(&wanted)) && asked.access.iter().flatten().all(has_access)
}

fn resources(file: &ClusterFile) -> Vec<String> {
    Vec::deserialize(&file.object["resources"]).unwrap_or_default()
}

fn is_generated(text: &str) -> bool {
    text.lines().next() == Some(GENERATED)
}

/// Git may have stored the file with Windows line ends.
fn same_text(left: &str, right: &str) -> bool {
    left.lines().eq(right.lines())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn file(path: &str, upkeep: Upkeep, text: &str) -> ClusterFile {
        ClusterFile {
            path: path.into(),
            upkeep,
            text: text.into(),
            object: json!({"resources": ["a.yaml", "b.yaml"]}),
        }
    }

    /// What `decide` writes over `present`, as `path: text`, and its notes about files.
    fn decided(files: &[ClusterFile], present: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let mut present: BTreeMap<_, _> = present.iter().copied().collect();
        present.insert("c/flux-system/gotk-sync.yaml", "");
        let read = |path: &Path| Ok(present.get(path.to_str().unwrap()).map(|&text| text.into()));
        let decision = decide(Path::new("c"), files, &read).unwrap();
        let changes = decision.changes.iter();
        let changes = changes.map(|change| format!("{}: {}", change.path.display(), change.new));
        (changes.collect(), decision.notes)
    }

    #[test]
    fn only_a_file_with_the_line_is_written_again() {
        let new = format!("{GENERATED}\nnew\n");
        let old = format!("{GENERATED}\nold\n");
        let windows = new.replace('\n', "\r\n");
        let files = [file("c/f", Upkeep::Generated, &new)];
        let written = vec![format!("c/f: {new}")];
        assert_eq!(decided(&files, &[]), (written.clone(), vec![]));
        assert_eq!(decided(&files, &[("c/f", &old)]), (written, vec![]));
        assert_eq!(decided(&files, &[("c/f", &new)]), (vec![], vec![]));
        assert_eq!(decided(&files, &[("c/f", &windows)]), (vec![], vec![]));
        let (changes, notes) = decided(&files, &[("c/f", "by hand\n")]);
        assert_eq!(changes, Vec::<String>::new());
        assert!(notes[0].contains("c/f stays as it is"), "{notes:?}");
    }

    #[test]
    fn a_file_of_people_is_made_once() {
        let files = [file("c/f", Upkeep::Once, "first\n")];
        assert_eq!(decided(&files, &[]).0, ["c/f: first\n"]);
        assert_eq!(decided(&files, &[("c/f", "")]), (vec![], vec![]));
    }

    #[test]
    fn limits_that_let_nobody_in_are_mentioned_once() {
        let mut limits = file("c/limits.yaml", Upkeep::Once, "");
        limits.object = json!({"spec": {"limits": {"namespaces": {"names": []}}}});
        let (_, notes) = decided(&[limits], &[]);
        assert!(
            notes[0].contains("lets no namespace use the class"),
            "{notes:?}"
        );
        let mut limits = file("c/limits.yaml", Upkeep::Once, "");
        limits.object = json!({"spec": {"limits": {"namespaces": {"names": ["*"]}}}});
        assert_eq!(decided(&[limits], &[]).1, Vec::<String>::new());
    }

    #[test]
    fn limits_that_are_asked_for_again_are_not_written_and_mentioned() {
        let limits = |names: &[&str]| {
            let mut limits = file("c/limits.yaml", Upkeep::Once, "");
            limits.object = json!({"spec": {"limits": {"namespaces": {"names": names}}}});
            [limits]
        };
        let present = [(
            "c/limits.yaml",
            "spec: {limits: {namespaces: {names: [a, b]}}}\n",
        )];
        assert_eq!(decided(&limits(&["b"]), &present), (vec![], vec![]));
        let all = [(
            "c/limits.yaml",
            "spec: {limits: {namespaces: {names: ['*']}}}\n",
        )];
        assert_eq!(decided(&limits(&["b"]), &all), (vec![], vec![]));
        let (changes, notes) = decided(&limits(&["b", "c"]), &present);
        assert_eq!(changes, Vec::<String>::new());
        assert!(
            notes[0].contains("c/limits.yaml stays as it is"),
            "{notes:?}"
        );
    }

    #[test]
    fn neighbours_that_are_asked_for_again_are_not_written_and_mentioned_unless_they_are_there() {
        let mut limits = file("c/limits.yaml", Upkeep::Once, "");
        limits.object = json!({"spec": {"neighbours": {"rule": "Audit", "scope": "Namespaces"}}});
        let files = [limits];
        let of = |spec: &str| decided(&files, &[("c/limits.yaml", &format!("spec: {spec}\n"))]);
        for same in [
            "{neighbours: {rule: Audit}}",
            "{neighbours: {rule: Audit, exceptNamespaces: [calico-system]}}",
        ] {
            assert_eq!(of(same), (vec![], vec![]), "{same}");
        }
        for other in [
            "{}",
            "{neighbours: {rule: Enforce}}",
            "{neighbours: {rule: Audit, scope: Nodes}}",
        ] {
            let (changes, notes) = of(other);
            assert_eq!(changes, Vec::<String>::new());
            assert!(notes[0].contains("--neighbours asks"), "{other}: {notes:?}");
        }
    }

    #[test]
    fn a_kustomization_gets_what_is_missing() {
        let files = [file("c/podid/k", Upkeep::Kustomization, "")];
        let (changes, notes) = decided(&files, &[("c/podid/k", "resources:\n- x\n- a.yaml\n")]);
        assert_eq!(
            changes,
            ["c/podid/k: resources:\n- x\n- a.yaml\n- b.yaml\n"]
        );
        assert_eq!(notes, Vec::<String>::new());
        let (changes, notes) = decided(&files, &[("c/podid/k", "resources: [\n")]);
        assert_eq!((changes.len(), notes.len()), (0, 2), "{notes:?}");
    }

    #[test]
    fn the_cluster_kustomization_is_extended_and_never_made() {
        assert_eq!(decided(&[], &[]), (vec![], vec![]));
        let present = [("c/kustomization.yml", "resources:\n- apps.yaml\n")];
        assert_eq!(
            decided(&[], &present).0,
            ["c/kustomization.yml: resources:\n- apps.yaml\n- podid\n"]
        );
    }
}
