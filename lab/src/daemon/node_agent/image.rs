//! Container images without a registry: one layer, packed as `docker save` packs it, which
//! containerd imports.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::hex::hex;
use crate::layout::architecture;

/// An image that is made of files of this machine.
#[derive(Debug, Default)]
pub(super) struct Image {
    /// Its name and tag.
    pub(super) reference: &'static str,
    /// The program that a container runs by itself.
    pub(super) entrypoint: Option<&'static str>,
    pub(super) folders: Vec<&'static str>,
    /// Path in the image, and the file on this machine.
    pub(super) files: Vec<(PathBuf, PathBuf)>,
    /// Path in the image, and its text.
    pub(super) texts: Vec<(&'static str, &'static str)>,
    /// Path in the image, and what it leads to.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
}

impl Image {
    /// Packs the image into the file `into`.
    pub(super) fn pack(&self, into: &Path) -> io::Result<()> {
        let layer = self.layer()?;
        let digest = hex(&Sha256::digest(&layer));
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"],
                "Entrypoint": self.entrypoint.map(|program| [program]),
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
            let mode = if *folder == "tmp" { 0o1777 } else { 0o755 };
            let mut header = header(EntryType::Directory, mode, 0);
            layer.append_data(&mut header, folder, io::empty())?;
        }
        for (path, source) in &self.files {
            let mut bytes = Vec::new();
            File::open(source)?.read_to_end(&mut bytes)?;
            append(&mut layer, path, 0o755, &bytes)?;
        }
        for (path, text) in &self.texts {
            append(&mut layer, Path::new(path), 0o644, text.as_bytes())?;
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

/// The image of every pod's first container; `pause` is a static program.
pub(super) fn pause(pause: &Path) -> Image {
    Image {
        reference: super::config::PAUSE,
        entrypoint: Some("/pause"),
        files: vec![("pause".into(), pause.to_owned())],
        ..Image::default()
    }
}

/// Commands of this machine that [`box_of_commands`] has, those that it lacks left out.
const COMMANDS: [&str; 34] = [
    "sh", "basename", "cat", "chmod", "cp", "curl", "cut", "date", "dirname", "echo", "env",
    "false", "grep", "head", "hostname", "id", "ls", "mkdir", "mv", "printf", "readlink", "rm",
    "sed", "seq", "sleep", "sort", "tail", "tee", "test", "touch", "tr", "true", "uname", "wc",
];

/// An image with a shell and the usual commands of this machine, with their libraries.
pub(super) fn box_of_commands() -> io::Result<Image> {
    let found = COMMANDS
        .iter()
        .filter_map(|name| Some((name, on_path(name)?)));
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    for (name, program) in found {
        for library in libraries(&program)? {
            let path = library.strip_prefix("/").unwrap_or(&library).to_owned();
            files.push((path, fs::canonicalize(&library)?));
        }
        files.push((Path::new("usr/bin").join(name), fs::canonicalize(&program)?));
    }
    files.sort();
    files.dedup();
    Ok(Image {
        reference: "lab.podid.test/box:1",
        entrypoint: None,
        folders: vec!["etc", "proc", "sys", "dev", "tmp", "usr/bin"],
        files,
        texts: vec![(
            "etc/passwd",
            "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
        )],
        links: vec![("bin".into(), "usr/bin".into())],
    })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
    files.find(|file| file.is_file())
}

/// The shared libraries of a program, its loader among them, as `ldd` lists them; none of a
/// static one.
fn libraries(program: &Path) -> io::Result<Vec<PathBuf>> {
    let output = std::process::Command::new("ldd").arg(program).output()?;
    Ok(listed(&String::from_utf8_lossy(&output.stdout)))
}

/// Every absolute path that `ldd` writes.
fn listed(text: &str) -> Vec<PathBuf> {
    let lines = text.lines().map(|line| {
        let mut words = line.split_whitespace();
        words.find(|word| word.starts_with('/')).map(PathBuf::from)
    });
    lines.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_as_ldd_lists_them() {
        let text = "\
\tlinux-vdso.so.1 (0x00007ffd)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
\tlibgone.so => not found
\t/lib64/ld-linux-x86-64.so.2 (0x00007f)
";
        let expected = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(listed(text), expected.map(PathBuf::from));
        assert_eq!(listed("\tstatically linked\n"), Vec::<PathBuf>::new());
    }

    #[test]
    fn an_image_is_packed_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs::write(&program, "#!").unwrap();
        let image = pause(&program);
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
