//! Copying sources without touching what is the same already.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// What a folder is to contain, as paths below it.
#[derive(Debug, Default)]
struct Wanted {
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

/// Makes `to` contain the `files` of `from`, and nothing else. A file that is listed but not there has been
/// removed.
pub(super) fn sync(from: &Path, files: &[PathBuf], to: &Path) -> io::Result<()> {
    let mut wanted = Wanted::default();
    for file in files {
        // A submodule would be listed as a folder.
        let is_file = |found: fs::Metadata| !found.is_dir();
        if from.join(file).symlink_metadata().is_ok_and(is_file) {
            wanted.files.insert(file.clone());
            wanted
                .folders
                .extend(file.ancestors().skip(1).map(Path::to_owned));
        }
    }
    fs::create_dir_all(to)?;
    prune(to, to, &wanted)?;
    for file in &wanted.files {
        copy(&from.join(file), &to.join(file))?;
    }
    Ok(())
}

fn copy(source: &Path, target: &Path) -> io::Result<()> {
    let found = source.symlink_metadata()?;
    if found.is_symlink() {
        let link = fs::read_link(source)?;
        if fs::read_link(target).is_ok_and(|there| there == link) {
            return Ok(());
        }
        make_way(target)?;
        return symlink(link, target);
    }
    let bytes = fs::read(source)?;
    let there = target.symlink_metadata();
    let is_same = there.is_ok_and(|there| there.is_file())
        && fs::read(target).is_ok_and(|there| there == bytes);
    if !is_same {
        make_way(target)?;
        fs::write(target, bytes)?;
    }
    // Of its mode, git keeps whether a file can be started.
    let mode = if found.permissions().mode() & 0o100 == 0 {
        0o644
    } else {
        0o755
    };
    fs::set_permissions(target, Permissions::from_mode(mode))
}

/// Removes the file at `target`, and makes the folders above it.
fn make_way(target: &Path) -> io::Result<()> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    remove(target)
}

/// Removes what is below `folder` and not wanted, or wanted as something else.
fn prune(root: &Path, folder: &Path, wanted: &Wanted) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let relative = path.strip_prefix(root).unwrap_or(&path);
        if entry.file_type()?.is_dir() {
            if wanted.folders.contains(relative) {
                prune(root, &path, wanted)?;
            } else {
                fs::remove_dir_all(&path)?;
            }
        } else if !wanted.files.contains(relative) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn the_copy_follows_the_original_and_what_is_the_same_keeps_its_time() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (from.path(), to.path());
        fs::create_dir(from.join("src")).unwrap();
        for name in ["kept", "changed", "src/gone", "src/folder"] {
            fs::write(from.join(name), name).unwrap();
        }
        symlink("kept", from.join("link")).unwrap();
        let files = paths(&["kept", "changed", "src/gone", "src/folder", "link"]);
        sync(from, &files, to).unwrap();
        let old = SystemTime::now() - Duration::from_secs(3600);
        for name in ["kept", "changed"] {
            let file = fs::File::options().write(true).open(to.join(name));
            file.unwrap().set_modified(old).unwrap();
        }

        fs::write(from.join("changed"), "otherwise").unwrap();
        fs::remove_file(from.join("src/gone")).unwrap();
        fs::remove_file(from.join("src/folder")).unwrap();
        fs::create_dir(from.join("src/folder")).unwrap();
        fs::write(from.join("src/folder/file"), "").unwrap();
        fs::set_permissions(from.join("kept"), Permissions::from_mode(0o700)).unwrap();
        fs::write(to.join("stray"), "").unwrap();
        let files = paths(&["kept", "changed", "src/gone", "src/folder/file", "link"]);
        sync(from, &files, to).unwrap();

        let modified = |name: &str| fs::metadata(to.join(name)).unwrap().modified().unwrap();
        assert_eq!(modified("kept"), old);
        assert!(modified("changed") > old);
        assert_eq!(fs::read_to_string(to.join("changed")).unwrap(), "otherwise");
        let mode = fs::metadata(to.join("kept")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("kept"));
        assert!(to.join("src/folder/file").is_file());
        assert!(!to.join("src/gone").exists() && !to.join("stray").exists());
    }
}
