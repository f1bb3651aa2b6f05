//! The container images of the demo: podid's own, and the application's.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use podid_lab::install::IMAGES;
use serde::Deserialize;
use tempfile::TempDir;

use podid_tests::sdk_image;

/// File of the application's image.
const APPLICATION: &str = "application.tar";

/// Archives of all images, in a folder that goes with this value.
#[derive(Debug)]
pub(crate) struct Images(TempDir);

/// What `podid-image` says of an image.
#[derive(Debug, Deserialize)]
struct Summary {
    reference: String,
    digest: String,
    size: u64,
}

impl Images {
    /// Builds the images with `podid-image` of the folder `programs`. What is built is kept in podid's cache, so
    /// that only what has changed since is built anew.
    pub(crate) fn build(programs: &Path, python: &Path) -> Result<Self> {
        let images = Self(tempfile::tempdir()?);
        let mut command = Command::new(programs.join("podid-image"));
        command
            .args(IMAGES)
            .arg("--output")
            .arg(images.folder())
            .current_dir(podid_tests::programs::repository());
        show_progress(&mut command)?;
        sdk_image::pack(python, &images.folder().join(APPLICATION))?;
        Ok(images)
    }

    /// The folder with podid's images.
    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// The archive of the application's image.
    pub(crate) fn application(&self) -> PathBuf {
        self.folder().join(APPLICATION)
    }

    /// A line for each of podid's images.
    pub(crate) fn describe(&self) -> Result<String> {
        let text = std::fs::read(self.folder().join("images.json"))?;
        let summaries: Vec<Summary> = serde_json::from_slice(&text)?;
        let lines = summaries.iter().map(|image| {
            let megabytes = image.size as f64 / 1e6;
            format!("{} {} ({megabytes:.1} MB)", image.reference, image.digest)
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }
}

/// Runs a command and shows what it says on standard error as it comes; its last line there is the error.
fn show_progress(command: &mut Command) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start `podid-image`")?;
    let mut last = String::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            last = line.context("cannot read what `podid-image` says")?;
            eprintln!("{last}");
        }
    }
    let ended = child.wait()?;
    if !ended.success() {
        bail!("{}", last.trim_start_matches("error: "));
    }
    Ok(())
}
