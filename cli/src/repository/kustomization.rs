//! A folder's kustomization.yaml, which must list a new file for Flux to see it.
//!
//! People maintain the file, so it is changed by one inserted line, or not at all: order, comments
//! and layout stay.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{FileChange, RepositoryError, Worktree};
use crate::yaml::edit::{Edit, edit};

/// The names kustomize knows.
pub(crate) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A list without entries, as `podid bootstrap git` writes it.
const EMPTY: &str = "resources: []";

/// What to do about the kustomization next to a file.
#[derive(Debug)]
pub(crate) enum Listing {
    /// Change it so.
    Add(FileChange),
    /// Leave it; with a note when the author has to act.
    Leave(Option<String>),
}

/// Decides how `file` gets listed. A folder without a kustomization needs nothing: Flux then takes
/// every file.
pub(crate) fn listing(worktree: &Worktree, file: &Path) -> Result<Listing, RepositoryError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let Some((path, text)) = find(worktree, folder)? else {
        return Ok(Listing::Leave(None));
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if path == file || lists(&text, &name) {
        return Ok(Listing::Leave(None));
    }
    let Some(new) = with_resource(&text, &name) else {
        let note = format!(
            "add {name} to the resources of {}, or Flux skips it",
            path.display()
        );
        return Ok(Listing::Leave(Some(note)));
    };
    if worktree.is_dirty(&path)? {
        return Err(RepositoryError::Dirty { path });
    }
    worktree.change(&path, new, true).map(Listing::Add)
}

/// Decides how `file`, which is to be removed, is taken off the list.
pub(crate) fn unlisting(worktree: &Worktree, file: &Path) -> Result<Listing, RepositoryError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let Some((path, text)) = find(worktree, folder)? else {
        return Ok(Listing::Leave(None));
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if !lists(&text, &name) {
        return Ok(Listing::Leave(None));
    }
    let Some(new) = without_resource(&text, &name) else {
        let note = format!(
            "take {name} off the resources of {}, or kustomize fails",
            path.display()
        );
        return Ok(Listing::Leave(Some(note)));
    };
    if worktree.is_dirty(&path)? {
        return Err(RepositoryError::Dirty { path });
    }
    worktree.change(&path, new, true).map(Listing::Add)
}

/// `text` without the entry `name` of the list `resources`; `None` when the result would not read so.
fn without_resource(text: &str, name: &str) -> Option<String> {
    let listed = resources(text)?;
    let same = |listed: &&String| *listed == name || **listed == format!("./{name}");
    let entry = listed.iter().find(same)?;
    let change = Edit::Remove(vec!["resources"], entry.clone().into());
    edit(text, 0, &change).ok()
}

fn find(worktree: &Worktree, folder: &Path) -> Result<Option<(PathBuf, String)>, RepositoryError> {
    for name in NAMES {
        let path = folder.join(name);
        if let Some(text) = worktree.read(&path)? {
            return Ok(Some((path, text)));
        }
    }
    Ok(None)
}

#[derive(Deserialize)]
struct Kustomization {
    #[serde(default)]
    resources: Vec<String>,
}

fn resources(text: &str) -> Option<Vec<String>> {
    serde_saphyr::from_str::<Kustomization>(text)
        .ok()
        .map(|parsed| parsed.resources)
}

/// Whether a kustomization has `name` among its resources.
pub(crate) fn lists(text: &str, name: &str) -> bool {
    let same = |listed: &String| listed == name || *listed == format!("./{name}");
    resources(text).is_some_and(|resources| resources.iter().any(same))
}

/// `text` with one line more: `name` after the last entry of the block list `resources`, or in an empty one. `None`
/// when there is no such list, or the result would not read as the old list and `name`.
pub(crate) fn with_resource(text: &str, name: &str) -> Option<String> {
    // A file with Windows line ends keeps them.
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines: Vec<&str> = text.lines().collect();
    let (at, indent) = match lines.iter().position(|line| line.trim_end() == EMPTY) {
        Some(start) => {
            lines[start] = "resources:";
            (start, String::new())
        }
        None => last_entry(&lines)?,
    };
    let quoted = serde_saphyr::to_string(&name).ok()?;
    let line = format!("{indent}- {}", quoted.trim_end());
    lines.insert(at + 1, &line);
    let new = lines.join(end) + end;

    let mut wanted = resources(text)?;
    wanted.push(name.to_owned());
    (resources(&new)? == wanted).then_some(new)
}

/// Line and indent of the last entry of the block list.
fn last_entry(lines: &[&str]) -> Option<(usize, String)> {
    let start = lines
        .iter()
        .position(|line| line.trim_end() == "resources:")?;
    let entries = lines[start + 1..].iter().take_while(|line| belongs(line));
    let last = entries
        .enumerate()
        .filter(|(_, line)| line.trim_start().starts_with("- "))
        .map(|(offset, _)| start + 1 + offset)
        .last()?;
    let indent = lines[last].chars().take_while(|c| *c == ' ').collect();
    Some((last, indent))
}

/// Whether a line is part of the list: an entry, a comment, or blank.
fn belongs(line: &str) -> bool {
    let trimmed = line.trim_start();
    trimmed.is_empty() || trimmed.starts_with("- ") || trimmed.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_inserted_and_comments_stay() {
        let text = "# ours\nresources:\n  # apps\n  - a.yaml # first\n\n  - b.yaml\n\n# end\nnamespace: x\n";
        let new = with_resource(text, "c.yaml").unwrap();
        assert_eq!(
            new,
            text.replace("  - b.yaml\n", "  - b.yaml\n  - c.yaml\n")
        );
    }

    #[test]
    fn an_entry_is_taken_out_and_comments_stay() {
        let text = "# ours\nresources:\n  - a.yaml # first\n  - ./b.yaml\n# end\nnamespace: x\n";
        assert_eq!(
            without_resource(text, "b.yaml").unwrap(),
            text.replace("  - ./b.yaml\n", "")
        );
        assert_eq!(without_resource(text, "c.yaml"), None);
        let flow = "resources: [a.yaml, b.yaml]\n";
        assert_eq!(
            without_resource(flow, "a.yaml").unwrap(),
            "resources: [b.yaml]\n"
        );
    }

    #[test]
    fn entries_without_indent_are_followed() {
        let text = "kind: Kustomization\nresources:\n- a.yaml\n";
        assert_eq!(
            with_resource(text, "on").unwrap(),
            format!("{text}- \"on\"\n")
        );
    }

    #[test]
    fn an_empty_list_gets_its_first_entry() {
        assert_eq!(
            with_resource("kind: K\nresources: []\nnamespace: x\n", "a.yaml").unwrap(),
            "kind: K\nresources:\n- a.yaml\nnamespace: x\n"
        );
    }

    #[test]
    fn windows_line_ends_stay() {
        assert_eq!(
            with_resource("resources:\r\n- a.yaml\r\nnamespace: x\r\n", "b.yaml").unwrap(),
            "resources:\r\n- a.yaml\r\n- b.yaml\r\nnamespace: x\r\n"
        );
    }

    #[test]
    fn what_is_not_a_plain_block_list_is_left_alone() {
        for text in [
            "resources: [a.yaml]\n",
            "resources:\n",
            "kind: Kustomization\n",
            "resources: {\n",
            "",
        ] {
            assert_eq!(with_resource(text, "c.yaml"), None, "{text:?}");
        }
    }

    #[test]
    fn a_listed_file_is_recognised_in_both_spellings() {
        for entry in ["c.yaml", "./c.yaml", "\"c.yaml\""] {
            assert!(
                lists(&format!("resources:\n- {entry}\n"), "c.yaml"),
                "{entry}"
            );
        }
        assert!(!lists("resources:\n- cc.yaml\n", "c.yaml"));
    }
}
