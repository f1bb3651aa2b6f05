//! Images as files: an OCI image layout, and the same as an archive.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use oci_spec::image::{
    ANNOTATION_REF_NAME, Arch, ImageIndexBuilder, MediaType, OciLayoutBuilder, Os, PlatformBuilder,
    SCHEMA_VERSION,
};
use tar::EntryType;

use crate::digest::digits;
use crate::image::{Image, json};
use crate::layer;

/// The name by which containerd and CRI-O know an imported image.
const ANNOTATION_CONTAINERD_NAME: &str = "io.containerd.image.name";

/// Where archives say that their images come from, until they are pushed elsewhere.
const REPOSITORY: &str = "podid.dev";

/// Marks a folder as an image layout, by the specification.
const MARKER: &str = "oci-layout";

/// The image's full name in an archive.
pub(crate) fn reference(image: &Image, tag: &str) -> String {
    format!("{REPOSITORY}/{}:{tag}", image.program.name())
}

/// Writes `NAME/` and `NAME.tar` into `folder`; what was there of an earlier run is replaced.
pub(crate) fn write(image: &Image, tag: &str, folder: &Path) -> Result<()> {
    let name = image.program.name();
    let files = files(image, tag)?;
    let layout = folder.join(name);
    write_folder(&files, &layout)
        .with_context(|| format!("cannot write the image layout {}", layout.display()))?;
    let archive = folder.join(format!("{name}.tar"));
    write_archive(&files, &archive)
        .with_context(|| format!("cannot write the archive {}", archive.display()))
}

/// The files of a layout, sorted by their paths.
fn files(image: &Image, tag: &str) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let marker = OciLayoutBuilder::default()
        .image_layout_version("1.0.0")
        .build()?;
    let mut files = vec![
        (PathBuf::from(MARKER), json(&marker)?),
        (PathBuf::from("index.json"), index(image, tag)?),
    ];
    for blob in image.blobs() {
        let path = Path::new("blobs/sha256").join(digits(&blob.digest));
        files.push((path, blob.bytes.clone()));
    }
    files.sort();
    Ok(files)
}

fn index(image: &Image, tag: &str) -> Result<Vec<u8>> {
    let platform = PlatformBuilder::default()
        .architecture(Arch::Amd64)
        .os(Os::Linux)
        .build()?;
    let names = HashMap::from([
        (ANNOTATION_REF_NAME.to_owned(), tag.to_owned()),
        (ANNOTATION_CONTAINERD_NAME.to_owned(), reference(image, tag)),
    ]);
    let mut manifest = image.manifest.descriptor()?;
    manifest.set_platform(Some(platform));
    manifest.set_annotations(Some(names));
    let index = ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests([manifest])
        .build()?;
    json(&index)
}

/// The folder appears whole: it is filled under another name.
fn write_folder(files: &[(PathBuf, Vec<u8>)], folder: &Path) -> Result<()> {
    if folder.exists() && !folder.join(MARKER).is_file() {
        bail!("something else is there; remove it, or choose another folder with --output");
    }
    let partial = partial(folder);
    remove(&partial)?;
    for (path, bytes) in files {
        let path = partial.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    remove(folder)?;
    Ok(fs::rename(partial, folder)?)
}

fn write_archive(files: &[(PathBuf, Vec<u8>)], archive: &Path) -> Result<()> {
    let partial = partial(archive);
    let mut builder = tar::Builder::new(fs::File::create(&partial)?);
    for folder in ["blobs/", "blobs/sha256/"] {
        let mut header = layer::header(EntryType::Directory, 0o755, 0, 0);
        builder.append_data(&mut header, folder, &[][..])?;
    }
    for (path, bytes) in files {
        let mut header = layer::header(EntryType::Regular, 0o644, bytes.len() as u64, 0);
        builder.append_data(&mut header, path, bytes.as_slice())?;
    }
    builder.into_inner()?.flush()?;
    Ok(fs::rename(partial, archive)?)
}

fn partial(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial"))
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::tests::checkout;
    use crate::digest::sha256;
    use crate::programs::ShippedProgram;

    fn image(program: &[u8]) -> Image {
        Image::pack(ShippedProgram::Podid, program, &checkout()).unwrap()
    }

    #[test]
    fn every_blob_is_named_by_its_digest_and_the_archive_holds_the_same() {
        let folder = tempfile::tempdir().unwrap();
        write(&image(b"1"), "7", folder.path()).unwrap();
        // What an earlier run left is replaced, not added to.
        write(&image(b"2"), "7", folder.path()).unwrap();
        let mut archive =
            tar::Archive::new(fs::File::open(folder.path().join("podid.tar")).unwrap());
        archive.unpack(folder.path().join("unpacked")).unwrap();
        for layout in ["podid", "unpacked"] {
            let layout = folder.path().join(layout);
            let blobs: Vec<_> = fs::read_dir(layout.join("blobs/sha256"))
                .unwrap()
                .map(|entry| entry.unwrap())
                .collect();
            assert_eq!(blobs.len(), 3);
            for blob in blobs {
                let digest = sha256(&fs::read(blob.path()).unwrap());
                assert_eq!(digits(&digest), blob.file_name().to_str().unwrap());
            }
            let index = fs::read_to_string(layout.join("index.json")).unwrap();
            assert!(index.contains(&image(b"2").manifest.digest), "{index}");
            assert!(index.contains("podid.dev/podid:7"), "{index}");
        }
    }

    #[test]
    fn a_folder_that_is_no_layout_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("podid/thesis.txt");
        fs::create_dir(folder.path().join("podid")).unwrap();
        fs::write(&other, "years of work").unwrap();
        let error = write(&image(b"1"), "7", folder.path()).unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("/podid: something else is there"), "{said}");
        assert!(other.exists());
    }
}
