//! The images that `cargo xtask test install` has built, as files.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::read::GzDecoder;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest};
use podid_image::{ShippedProgram, sha256};
use podid_tests::programs;
use serde_json::Value;

/// The folder that `podid-image --output` has filled.
pub(crate) fn images() -> PathBuf {
    let folder = std::env::var_os("PODID_TEST_IMAGES");
    PathBuf::from(folder.expect("run this ring with `cargo xtask test install`"))
}

/// An image, read from its layout.
pub(crate) struct Shipped {
    layout: PathBuf,
    pub(crate) index: ImageIndex,
    pub(crate) manifest: ImageManifest,
    pub(crate) config: ImageConfiguration,
}

impl Shipped {
    pub(crate) fn read(program: ShippedProgram) -> Self {
        let layout = images().join(program.name());
        let index = ImageIndex::from_file(layout.join("index.json")).unwrap();
        let manifest = blob(&layout, &index.manifests()[0]);
        let manifest = ImageManifest::from_reader(manifest.as_slice()).unwrap();
        let config = blob(&layout, manifest.config());
        let config = ImageConfiguration::from_reader(config.as_slice()).unwrap();
        Self {
            layout,
            index,
            manifest,
            config,
        }
    }

    /// The digest of the image.
    pub(crate) fn digest(&self) -> String {
        self.index.manifests()[0].digest().to_string()
    }

    /// The files of the image as a container sees them, with the devices that every container gets.
    pub(crate) fn unpack(&self, into: &Path) {
        let layer = blob(&self.layout, &self.manifest.layers()[0]);
        let mut archive = tar::Archive::new(GzDecoder::new(layer.as_slice()));
        archive.set_preserve_permissions(true);
        archive.unpack(into).unwrap();
        // Temporary folders are for their owner only.
        fs::set_permissions(into, Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(into.join("dev")).unwrap();
        for (name, minor) in [("random", 8), ("urandom", 9)] {
            let path = into.join("dev").join(name);
            mknod(&path, SFlag::S_IFCHR, Mode::empty(), makedev(1, minor)).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        }
    }

    /// The program in `root`, where the image was unpacked, as a container starts it: as its user, with its
    /// environment, and with no other files.
    pub(crate) fn command(&self, root: &Path) -> Command {
        let config = self.config.config().as_ref().unwrap();
        // By its path: the image's PATH is what a name would be looked for in.
        let mut command = Command::new(tool("chroot"));
        command
            .arg(format!("--userspec={}", config.user().as_ref().unwrap()))
            .arg(root)
            .args(config.entrypoint().as_ref().unwrap())
            .env_clear();
        for variable in config.env().as_ref().unwrap() {
            let (name, value) = variable.split_once('=').unwrap();
            command.env(name, value);
        }
        command
    }
}

/// Where this machine has a program.
pub(crate) fn tool(name: &str) -> PathBuf {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {name}")])
        .output();
    PathBuf::from(String::from_utf8(found.unwrap().stdout).unwrap().trim())
}

/// The bytes behind a descriptor, which must be those that it names.
fn blob(layout: &Path, descriptor: &Descriptor) -> Vec<u8> {
    let digits = descriptor.as_digest_sha256().unwrap();
    let bytes = fs::read(layout.join("blobs/sha256").join(digits)).unwrap();
    assert_eq!(sha256(&bytes), descriptor.digest().to_string());
    assert_eq!(bytes.len() as u64, descriptor.size());
    bytes
}

/// What `images.json` of a folder says about a program.
pub(crate) fn summary(folder: &Path, program: ShippedProgram) -> Value {
    let file = File::open(folder.join("images.json")).unwrap();
    let images: Vec<Value> = serde_json::from_reader(file).unwrap();
    let mut images = images.into_iter();
    images
        .find(|image| image["name"] == program.name())
        .unwrap()
}

/// `podid-image`, in the clone and without credentials of whoever runs the tests.
pub(crate) fn podid_image(docker: &Path) -> Command {
    let mut command = Command::new(programs::program("podid-image"));
    command
        .current_dir(programs::repository())
        .env("DOCKER_CONFIG", docker);
    command
}

/// The one line of standard error that says why; cargo's own lines come before it.
pub(crate) fn why(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = said.lines().skip_while(|line| !line.starts_with("error: "));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), 1, "{said}");
    lines[0].to_owned()
}
