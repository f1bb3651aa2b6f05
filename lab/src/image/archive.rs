//! Container images without a registry: one layer, packed as `docker save` packs it, which
//! containerd imports.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::hex::hex;
use crate::layout::architecture;

/// An image that is made of files of this machine.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Its name and tag, as containers ask for it.
    pub reference: String,
    /// The program that a container runs by itself, as a path in the image.
    pub entrypoint: Option<String>,
    /// Folders, as paths in the image without a slash at the start, as all here.
    pub folders: Vec<PathBuf>,
    /// Path in the image, and the file on this machine. Times of change are kept, by which Python
    /// knows what it has compiled.
    pub files: Vec<(PathBuf, PathBuf)>,
    /// Path in the image, and its text.
    pub texts: Vec<(PathBuf, String)>,
    /// Path in the image, and what it leads to.
    pub links: Vec<(PathBuf, PathBuf)>,
}

impl Image {
    /// Packs the image into the file `into`; of files with the same path, the last.
    ///
    /// # Errors
    ///
    /// When a file of the image cannot be read, or `into` not be written.
    pub fn pack(&self, into: &Path) -> io::Result<()> {
        let layer = self.layer()?;
        let digest = hex(&Sha256::digest(&layer));
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"],
                "Entrypoint": self.entrypoint.as_ref().map(|program| [program]),
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
        });
        let config = config.to_string().into_bytes();
        let config_name = format!("{}.json", hex(&Sha256::digest(&config)));
        let layer_name = format!("{digest}/layer.tar");
        let manifest = json!([{
            "Config": config_name, "RepoTags": [self.reference], "Layers": [layer_name],
        }]);
        let mut archive = Builder::new(File::create(into)?);
        append(&mut archive, Path::new(&config_name), 0o644, &config)?;
        append(&mut archive, Path::new(&layer_name), 0o644, &layer)?;
        let manifest = manifest.to_string();
        append(
            &mut archive,
            Path::new("manifest.json"),
            0o644,
            manifest.as_bytes(),
        )?;
        archive.into_inner()?.sync_data()
    }

    fn layer(&self) -> io::Result<Vec<u8>> {
        let mut layer = Builder::new(Vec::new());
        for folder in &self.folders {
            // Anybody may write where this says so; containers run as whom they like.
            let is_temporary = folder.as_path() == Path::new("tmp");
            let mode = if is_temporary { 0o1777 } else { 0o755 };
            let mut header = header(EntryType::Directory, mode, 0);
            layer.append_data(&mut header, folder, io::empty())?;
        }
        let files: BTreeMap<_, _> = self.files.iter().map(|(path, file)| (path, file)).collect();
        for (path, source) in files {
            append_file(&mut layer, path, source)?;
        }
        for (path, text) in &self.texts {
            append(&mut layer, path, 0o644, text.as_bytes())?;
        }
        for (path, target) in &self.links {
            let mut header = header(EntryType::Symlink, 0o777, 0);
            layer.append_link(&mut header, path, target)?;
        }
        layer.into_inner()
    }
}

fn append<W: io::Write>(
    archive: &mut Builder<W>,
    path: &Path,
    mode: u32,
    bytes: &[u8],
) -> io::Result<()> {
    let mut header = header(EntryType::Regular, mode, bytes.len() as u64);
    archive.append_data(&mut header, path, bytes)
}

/// A file of this machine, as a program, with the time of its last change.
fn append_file<W: io::Write>(
    archive: &mut Builder<W>,
    path: &Path,
    source: &Path,
) -> io::Result<()> {
    let mut file = File::open(source)?;
    let found = file.metadata()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut header = header(EntryType::Regular, 0o755, bytes.len() as u64);
    header.set_mtime(u64::try_from(found.mtime()).unwrap_or(0));
    archive.append_data(&mut header, path, bytes.as_slice())
}

/// Of root, and without a time: the same files make the same image.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_image_is_packed_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs::write(&program, "#!").unwrap();
        let image = Image {
            reference: "example.test/app:1".to_owned(),
            entrypoint: Some("/app".to_owned()),
            files: vec![("app".into(), program.clone()), ("app".into(), program)],
            ..Image::default()
        };
        let packed = |name: &str| {
            let file = folder.path().join(name);
            image.pack(&file).unwrap();
            fs::read(file).unwrap()
        };
        let first = packed("a.tar");
        assert_eq!(first, packed("b.tar"));
        let mut names: Vec<String> = Vec::new();
        for entry in tar::Archive::new(first.as_slice()).entries().unwrap() {
            names.push(entry.unwrap().path().unwrap().display().to_string());
        }
        assert_eq!(names.last().unwrap(), "manifest.json");
        assert!(names[1].ends_with("/layer.tar"), "{names:?}");
    }
}
