//! Which file uses which, and the circles in that.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{Files, Module};

/// For each file, the files it uses, each with the path that shows it.
type Uses<'a> = BTreeMap<&'a Module, BTreeMap<&'a Module, String>>;

/// Longest chain of imports that is followed: a longer one leads to itself.
const LONGEST: usize = 16;

/// Every circle (strongly connected component), as the uses in it, a line each.
pub(super) fn circles(files: &Files) -> Vec<Vec<String>> {
    let uses: Uses<'_> = files.keys().map(|file| (file, uses(files, file))).collect();
    let reach: BTreeMap<&Module, _> = files
        .keys()
        .map(|file| (file, reach(&uses, file)))
        .collect();
    let mut open: BTreeSet<&Module> = files
        .keys()
        .filter(|file| reach[file].contains(file))
        .collect();
    let mut circles = Vec::new();
    while let Some(first) = open.first().copied() {
        let is_inside =
            |other: &&Module| reach[first].contains(other) && reach[other].contains(first);
        let (inside, outside) = open.into_iter().partition::<BTreeSet<_>, _>(is_inside);
        circles.push(describe(files, &uses, &inside));
        open = outside;
    }
    circles
}

fn describe(files: &Files, uses: &Uses<'_>, circle: &BTreeSet<&Module>) -> Vec<String> {
    let mut lines = Vec::new();
    for user in circle {
        for (used, path) in uses[user].iter().filter(|(used, _)| circle.contains(*used)) {
            let (user, used) = (files[*user].path.display(), files[*used].path.display());
            lines.push(format!("{user} uses {used} ({path})"));
        }
    }
    lines
}

/// The files that `from` uses, directly or through others.
fn reach<'a>(uses: &Uses<'a>, from: &Module) -> BTreeSet<&'a Module> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Module> = uses[from].keys().copied().collect();
    while let Some(file) = open.pop() {
        if found.insert(file) {
            open.extend(uses[file].keys());
        }
    }
    found
}

/// The files that the code of `user` uses.
fn uses<'a>(files: &'a Files, user: &Module) -> BTreeMap<&'a Module, String> {
    let source = &files[user].source;
    let imported = source.imports.values().filter(|import| !import.is_public);
    // Of two paths that show the same use, the later is kept: the import.
    let paths = source
        .paths
        .iter()
        .chain(imported.map(|import| &import.path));
    let used =
        paths.filter_map(|path| Some((target(files, user, path, LONGEST)?, path.join("::"))));
    used.filter(|(used, _)| *used != user).collect()
}

/// The file that defines what `path` names in the code of `user`; `None` for another crate's.
fn target<'a>(
    files: &'a Files,
    user: &Module,
    path: &[String],
    limit: usize,
) -> Option<&'a Module> {
    let (first, after) = path.split_first()?;
    let (mut at, mut rest) = match first.as_str() {
        "crate" => (Module::new(), after),
        "self" => (user.clone(), after),
        "super" => (user.split_last()?.1.to_vec(), after),
        _ if files[user].source.brings_in(path) => (user.clone(), path),
        _ => return None,
    };
    while let Some((first, after)) = rest.split_first() {
        let child = [at.as_slice(), std::slice::from_ref(first)].concat();
        if first == "super" {
            at.pop();
        } else if files.contains_key(&child) {
            at = child;
        } else {
            break;
        }
        rest = after;
    }
    let (here, file) = files.get_key_value(&at)?;
    match rest
        .split_first()
        .and_then(|(name, after)| Some((file.source.imports.get(name)?, after)))
    {
        Some((import, after)) if limit > 0 => target(
            files,
            here,
            &[import.path.as_slice(), after].concat(),
            limit - 1,
        ),
        _ => Some(here),
    }
}
