//! The image of an application: this machine's Python with the Azure SDKs, a shell, curl, and a program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use podid_lab::image::{Image, box_of_commands, libraries};
use serde::Deserialize;

use crate::programs;

/// Name of the image.
pub const SDK: &str = "lab.podid.test/checkout:1";
/// Where the image has the packages, as `PYTHONPATH` has it.
pub const PACKAGES: &str = "/packages";
/// Where the image has the program that reads a secret.
pub const READ_SECRET: &str = "/read_secret.py";

/// Parts of Python's library and packages that no application here uses, and that are large.
const LEFT_OUT: [&str; 11] = [
    "ensurepip",
    "idlelib",
    "lib2to3",
    "mgmt",
    "pip",
    "pkg_resources",
    "pydoc_data",
    "setuptools",
    "site-packages",
    "test",
    "turtledemo",
];

/// Where an interpreter has what.
#[derive(Debug, Deserialize)]
struct Python {
    executable: PathBuf,
    /// The library that comes with Python.
    library: PathBuf,
    /// Packages of the virtual environment.
    packages: PathBuf,
}

const ASK: &str = "import json, sys, sysconfig
print(json.dumps({'executable': sys._base_executable, 'packages': sysconfig.get_path('purelib'),
    'library': sysconfig.get_path('stdlib')}))";

/// Packs the image into `into`; `interpreter` is that of a virtual environment with the SDKs.
///
/// # Errors
///
/// When Python does not say where its library is, or a file cannot be read or written.
pub fn pack(interpreter: &Path, into: &Path) -> Result<()> {
    let asked = Command::new(interpreter).args(["-c", ASK]).output();
    let said = asked.with_context(|| format!("cannot start {}", interpreter.display()))?;
    if !said.status.success() {
        let words = String::from_utf8_lossy(&said.stderr);
        bail!("Python does not say where its library is: {words}");
    }
    let python: Python = serde_json::from_slice(&said.stdout).context("Python printed no JSON")?;
    let image = image(&python).context("cannot read Python and the Azure SDKs")?;
    let packed = image.pack(into);
    packed.with_context(|| format!("cannot write {}", into.display()))
}

fn image(python: &Python) -> io::Result<Image> {
    let mut image = box_of_commands()?;
    image.reference = SDK.to_owned();
    let program = programs::repository().join("docs/examples/read_secret.py");
    let mut files = vec![
        (in_image(Path::new(READ_SECRET)), program),
        (
            in_image(&python.executable),
            fs::canonicalize(&python.executable)?,
        ),
    ];
    collect(&python.library, &in_image(&python.library), &mut files)?;
    collect(&python.packages, &in_image(Path::new(PACKAGES)), &mut files)?;
    let is_native =
        |(_, file): &&(PathBuf, PathBuf)| file.extension().is_some_and(|end| end == "so");
    let mut native: Vec<PathBuf> = files
        .iter()
        .filter(is_native)
        .map(|(_, file)| file.clone())
        .collect();
    native.push(python.executable.clone());
    image.files.extend(libraries(&native)?);
    image.files.append(&mut files);
    image
        .links
        .push(("usr/bin/python".into(), python.executable.clone()));
    Ok(image)
}

/// Adds every file below `folder`, which the image has as `name`.
fn collect(folder: &Path, name: &Path, files: &mut Vec<(PathBuf, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, own) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let text = own.to_string_lossy();
        // Beside the library are what C programs need of Python, and lists of files.
        if LEFT_OUT.contains(&&*text) || text.starts_with("config-") || text.ends_with(".dist-info")
        {
            continue;
        }
        if path.is_dir() {
            collect(&path, &name.join(&own), files)?;
        } else {
            files.push((name.join(&own), path));
        }
    }
    Ok(())
}

/// A path of this machine as one in an image.
fn in_image(path: &Path) -> PathBuf {
    path.strip_prefix("/").unwrap_or(path).to_owned()
}
