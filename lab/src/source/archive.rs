//! Packs files as source-controller does: a tar.gz that depends on nothing but its contents.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use git2::{ObjectType, Repository, Tree, TreeWalkMode, TreeWalkResult};
use tar::{Builder, EntryType, Header};

use super::exclude::Exclusions;

/// Git's file mode of a symbolic link.
const LINK: i32 = 0o120_000;
/// The bits of git's file mode that say a file can be executed.
const EXECUTABLE: i32 = 0o111;

/// Why files could not be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArchiveError {
    #[error(transparent)]
    Git(#[from] git2::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Path from the archive's root, with slashes.
    pub(super) path: String,
    pub(super) contents: Vec<u8>,
    pub(super) executable: bool,
    /// Whether `contents` is where a symbolic link points.
    pub(super) link: bool,
}

/// Packs a commit's files, without those that Flux leaves out.
pub(super) fn of_tree(
    repository: &Repository,
    tree: &Tree<'_>,
    exclusions: &Exclusions,
) -> Result<Vec<u8>, ArchiveError> {
    let mut files = Vec::new();
    let mut failed = None;
    tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        let path = format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
        if entry.kind() != Some(ObjectType::Blob) || exclusions.exclude(&path) {
            return TreeWalkResult::Ok;
        }
        match repository.find_blob(entry.id()) {
            Ok(blob) => files.push(File {
                path,
                contents: blob.content().to_vec(),
                executable: entry.filemode() & EXECUTABLE != 0,
                link: entry.filemode() == LINK,
            }),
            Err(error) => failed = Some(error),
        }
        TreeWalkResult::Ok
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(pack(&files)?),
    }
}

/// Packs files: no owners, no times.
pub(super) fn pack(files: &[File]) -> std::io::Result<Vec<u8>> {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for file in files {
        let mut header = Header::new_gnu();
        header.set_mode(if file.executable { 0o755 } else { 0o644 });
        header.set_mtime(0);
        if file.link {
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            let target = String::from_utf8_lossy(&file.contents);
            builder.append_link(&mut header, &file.path, target.as_ref())?;
        } else {
            header.set_size(file.contents.len() as u64);
            builder.append_data(&mut header, &file.path, file.contents.as_slice())?;
        }
    }
    let mut encoder = builder.into_inner()?;
    encoder.flush()?;
    encoder.finish()
}

/// The plain files of an archive.
pub(super) fn unpack(archive: &[u8]) -> std::io::Result<Vec<File>> {
    let mut files = Vec::new();
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.to_string_lossy().into_owned();
        let executable = entry.header().mode()? & 0o111 != 0;
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents)?;
        files.push(File {
            path,
            contents,
            executable,
            link: false,
        });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again_and_always_the_same() {
        let file = |path: &str, text: &str| File {
            path: path.to_owned(),
            contents: text.as_bytes().to_vec(),
            executable: path.ends_with(".sh"),
            link: false,
        };
        let long = format!("{}/deep.yaml", "folder".repeat(30));
        let files = [
            file("a.yaml", "a: 1\n"),
            file("run.sh", "#!"),
            file(&long, "b: 2\n"),
        ];
        let archive = pack(&files).unwrap();
        assert_eq!(archive, pack(&files).unwrap());
        assert_eq!(unpack(&archive).unwrap(), files);
    }
}
