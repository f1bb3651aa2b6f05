//! Lays down a systemd unit that runs `close` before the kubelet of a node starts, and a copy of this program
//! for it: before the kubelet there is no image to run it from.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use podid_runtime::{BoxError, logging};

use crate::args::BootUnitArgs;

/// The unit. It names the places below.
const UNIT: &str = include_str!("podid-boot.service");
const UNIT_FILE: &str = "etc/systemd/system/podid-boot.service";
/// What `systemctl enable` would make of the unit's `WantedBy`; there is no systemd in this container to ask.
const WANTED: &str = "etc/systemd/system/kubelet.service.wants/podid-boot.service";
const WANTED_TARGET: &str = "../podid-boot.service";
const PROGRAM: &str = "opt/podid/podid-nmi";

/// A file of the node cannot be written or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {path}; is the folder of the node mounted there, and writable?")]
pub struct NodeFileError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Writes program and unit, the program first: a unit without its program would do nothing.
///
/// # Errors
/// When a file cannot be written.
pub async fn run(args: BootUnitArgs) -> Result<(), BoxError> {
    logging::init(&args.log)?;
    lay_down(&args.node_root)?;
    tracing::info!(
        unit = UNIT_FILE,
        "the node keeps pods from the metadata service when it starts"
    );
    Ok(())
}

fn lay_down(root: &Path) -> Result<(), NodeFileError> {
    let program = failed(
        "read",
        Path::new("/proc/self/exe"),
        fs::read("/proc/self/exe"),
    )?;
    replace(&root.join(PROGRAM), &program, 0o755)?;
    replace(&root.join(UNIT_FILE), UNIT.as_bytes(), 0o644)?;
    let wanted = root.join(WANTED);
    make_folder(&wanted)?;
    match symlink(WANTED_TARGET, &wanted) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => failed("make", &wanted, made),
    }
}

/// Removes what [`run`] has written. What is not there is fine.
pub(crate) fn remove(root: &Path) -> Result<(), NodeFileError> {
    for file in [WANTED, UNIT_FILE, PROGRAM] {
        let path = root.join(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => failed("remove", &path, removed)?,
        }
    }
    Ok(())
}

/// Writes a file beside its place and moves it there: a node that stops in between has the old one or the new
/// one, and a program that runs can be replaced.
fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), NodeFileError> {
    make_folder(path)?;
    let new = path.with_extension("new");
    failed("write", &new, write_to_disk(&new, content))?;
    let mode = Permissions::from_mode(mode);
    failed("write", &new, fs::set_permissions(&new, mode))?;
    failed("write", path, fs::rename(&new, path))
}

/// Returns when the content is on the disk: the file is for a node that may have lost its power.
fn write_to_disk(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn make_folder(of: &Path) -> Result<(), NodeFileError> {
    let folder = of.parent().unwrap_or(of);
    failed("make", folder, fs::create_dir_all(folder))
}

fn failed<T>(doing: &'static str, path: &Path, result: io::Result<T>) -> Result<T, NodeFileError> {
    result.map_err(|source| NodeFileError {
        doing,
        path: path.to_owned(),
        source,
    })
}
