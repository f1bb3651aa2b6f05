//! The image of a shell and the usual commands, made of this machine's own.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::archive::Image;

/// Commands of this machine that [`box_of_commands`] has, those that it lacks left out.
const COMMANDS: [&str; 36] = [
    "sh", "basename", "cat", "chmod", "cp", "curl", "cut", "date", "dirname", "echo", "env",
    "false", "grep", "head", "hostname", "id", "ls", "mkdir", "mv", "printf", "readlink", "rm",
    "sed", "seq", "sleep", "sort", "tail", "tee", "test", "timeout", "touch", "tr", "true",
    "uname", "wc", "wget",
];

/// Name of that image.
pub const BOX: &str = "lab.podid.test/box:1";

/// An image with a shell and the usual commands of this machine, with their libraries.
///
/// # Errors
///
/// When a program or a library of it cannot be found out about.
pub fn box_of_commands() -> io::Result<Image> {
    let found = COMMANDS
        .iter()
        .filter_map(|name| Some((name, on_path(name)?)));
    let (names, programs): (Vec<&&str>, Vec<PathBuf>) = found.unzip();
    let mut files = libraries(&programs)?;
    for (name, program) in names.into_iter().zip(&programs) {
        files.push((Path::new("usr/bin").join(name), fs::canonicalize(program)?));
    }
    Ok(Image {
        reference: BOX.to_owned(),
        entrypoint: None,
        folders: ["etc", "proc", "sys", "dev", "tmp", "usr/bin"]
            .map(PathBuf::from)
            .into(),
        files,
        texts: vec![(
            "etc/passwd".into(),
            "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n".to_owned(),
        )],
        links: vec![("bin".into(), "usr/bin".into())],
    })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
    files.find(|file| file.is_file())
}

/// The shared libraries of programs, the loader among them, as `ldd` lists them; none of a static one.
/// Each once: its path in an image, and the file on this machine.
///
/// # Errors
///
/// When `ldd` cannot be started, or a library that it lists is not there.
pub fn libraries(programs: &[PathBuf]) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let output = std::process::Command::new("ldd").args(programs).output()?;
    let listed = listed(&String::from_utf8_lossy(&output.stdout));
    let files = listed.into_iter().map(|library| {
        let path = library.strip_prefix("/").unwrap_or(&library).to_owned();
        Ok((path, fs::canonicalize(&library)?))
    });
    files.collect()
}

/// Every absolute path that `ldd` writes, but for the names of the programs, which a colon follows.
fn listed(text: &str) -> BTreeSet<PathBuf> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        words.find(|word| word.starts_with('/'))
    });
    let libraries = lines.filter(|word| !word.ends_with(':'));
    libraries.map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_as_ldd_lists_them() {
        let text = "\
/usr/bin/sh:
\tlinux-vdso.so.1 (0x00007ffd)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
\tlibgone.so => not found
\t/lib64/ld-linux-x86-64.so.2 (0x00007f)
";
        let expected = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(listed(text), expected.map(PathBuf::from).into());
        assert_eq!(listed("\tstatically linked\n"), BTreeSet::new());
    }
}
