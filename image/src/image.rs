//! One image: its layer, its configuration and its manifest, with their digests.

use std::collections::HashMap;

use anyhow::{Context, Result};
use oci_spec::image::{
    ANNOTATION_CREATED, ANNOTATION_DESCRIPTION, ANNOTATION_LICENSES, ANNOTATION_REVISION,
    ANNOTATION_SOURCE, ANNOTATION_TITLE, ANNOTATION_VERSION, Arch, Config, ConfigBuilder,
    Descriptor, DescriptorBuilder, HistoryBuilder, ImageConfiguration, ImageConfigurationBuilder,
    ImageManifestBuilder, MediaType, Os, RootFsBuilder, SCHEMA_VERSION, Sha256Digest,
};
use serde::Serialize;

use crate::checkout::Checkout;
use crate::digest::{digits, sha256};
use crate::layer::{self, Content, Layer};
use crate::programs::ShippedProgram;
use crate::root_files;

/// Bytes that are named by their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// `sha256:` and 64 digits.
    pub digest: String,
    /// What it is, as an OCI media type.
    pub media_type: MediaType,
    /// The bytes themselves.
    pub bytes: Vec<u8>,
}

impl Blob {
    fn new(media_type: MediaType, bytes: Vec<u8>) -> Self {
        Self {
            digest: sha256(&bytes),
            media_type,
            bytes,
        }
    }

    /// How manifests and indexes refer to these bytes.
    pub(crate) fn descriptor(&self) -> Result<Descriptor> {
        let digest: Sha256Digest = digits(&self.digest).parse()?;
        let descriptor = DescriptorBuilder::default()
            .media_type(self.media_type.clone())
            .digest(digest)
            .size(self.bytes.len() as u64);
        Ok(descriptor.build()?)
    }
}

/// A whole image of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The program in it.
    pub program: ShippedProgram,
    /// Digest of the uncompressed layer, which the program prints with `--version`.
    pub diff_id: String,
    /// The compressed layer.
    pub layer: Blob,
    /// How the program is started.
    pub config: Blob,
    /// What ties both together; its digest is the image's.
    pub manifest: Blob,
}

impl Image {
    /// Packs a program that was built from `checkout`.
    pub(crate) fn pack(
        program: ShippedProgram,
        executable: &[u8],
        checkout: &Checkout,
    ) -> Result<Self> {
        let layer = pack_layer(program, executable, checkout.time)
            .with_context(|| format!("cannot pack {}", program.name()))?;
        let labels = labels(program, checkout);
        let config = configuration(program, checkout, &layer, labels.clone())?;
        let config = Blob::new(MediaType::ImageConfig, json(&config)?);
        let diff_id = layer.diff_id;
        let layer = Blob::new(MediaType::ImageLayerGzip, layer.blob);
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(config.descriptor()?)
            .layers([layer.descriptor()?])
            .annotations(labels)
            .build()?;
        let manifest = Blob::new(MediaType::ImageManifest, json(&manifest)?);
        Ok(Self {
            program,
            diff_id,
            layer,
            config,
            manifest,
        })
    }

    /// All of it, in the order in which a registry wants it.
    #[must_use]
    pub fn blobs(&self) -> [&Blob; 3] {
        [&self.layer, &self.config, &self.manifest]
    }
}

fn pack_layer(program: ShippedProgram, executable: &[u8], time: u64) -> std::io::Result<Layer> {
    let authorities = root_files::certificate_authorities();
    let entries = [
        ("etc/", Content::Folder(0o755)),
        ("etc/group", Content::File(root_files::GROUP.as_bytes())),
        (
            "etc/nsswitch.conf",
            Content::File(root_files::NSSWITCH.as_bytes()),
        ),
        ("etc/passwd", Content::File(root_files::PASSWD.as_bytes())),
        ("etc/ssl/", Content::Folder(0o755)),
        ("etc/ssl/certs/", Content::Folder(0o755)),
        (
            "etc/ssl/certs/ca-certificates.crt",
            Content::File(authorities.as_bytes()),
        ),
        ("tmp/", Content::Folder(0o1777)),
        (program.name(), Content::Program(executable)),
    ];
    layer::pack(&entries, time)
}

/// The same in the configuration, where engines show them, and in the manifest, where registries do.
fn labels(program: ShippedProgram, checkout: &Checkout) -> HashMap<String, String> {
    [
        (ANNOTATION_TITLE, program.name().to_owned()),
        (ANNOTATION_DESCRIPTION, program.description().to_owned()),
        (ANNOTATION_SOURCE, checkout.repository.clone()),
        (ANNOTATION_REVISION, checkout.revision()),
        (ANNOTATION_VERSION, podid_build_info::RELEASE.to_owned()),
        (ANNOTATION_LICENSES, checkout.license.clone()),
        (ANNOTATION_CREATED, checkout.created()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn configuration(
    program: ShippedProgram,
    checkout: &Checkout,
    layer: &Layer,
    labels: HashMap<String, String>,
) -> Result<ImageConfiguration> {
    let history = HistoryBuilder::default()
        .created(checkout.created())
        .created_by("cargo xtask image")
        .build()?;
    let root = RootFsBuilder::default()
        .diff_ids([layer.diff_id.clone()])
        .build()?;
    let configuration = ImageConfigurationBuilder::default()
        .created(checkout.created())
        .architecture(Arch::Amd64)
        .os(Os::Linux)
        .config(start(program, layer, labels)?)
        .rootfs(root)
        .history([history]);
    Ok(configuration.build()?)
}

fn start(
    program: ShippedProgram,
    layer: &Layer,
    labels: HashMap<String, String>,
) -> Result<Config> {
    let own_layer = format!(
        "{}={}",
        podid_build_info::IMAGE_LAYER_VARIABLE,
        layer.diff_id
    );
    let config = ConfigBuilder::default()
        .user(program.user())
        .entrypoint([format!("/{}", program.name())])
        .env(["PATH=/".to_owned(), own_layer])
        .working_dir("/")
        .labels(labels);
    Ok(config.build()?)
}

/// JSON with sorted keys: labels are kept in hash maps, whose order differs from run to run.
pub(crate) fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut value = serde_json::to_value(value)?;
    value.sort_all_objects();
    Ok(serde_json::to_vec(&value)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::tests::checkout;

    #[test]
    fn the_same_program_gives_the_same_image() {
        let pack = || Image::pack(ShippedProgram::Podid, b"program", &checkout()).unwrap();
        let image = pack();
        for _ in 0..8 {
            assert_eq!(pack(), image);
        }
        let other = Image::pack(ShippedProgram::Podid, b"Program", &checkout()).unwrap();
        assert_ne!(other.manifest.digest, image.manifest.digest);
    }

    #[test]
    fn an_image_says_how_it_is_started_and_what_it_was_built_from() {
        let image = Image::pack(ShippedProgram::PodidNmi, b"program", &checkout()).unwrap();
        let config = ImageConfiguration::from_reader(image.config.bytes.as_slice()).unwrap();
        assert_eq!(
            config.rootfs().diff_ids(),
            std::slice::from_ref(&image.diff_id)
        );
        let start = config.config().as_ref().unwrap();
        assert_eq!(start.user().as_deref(), Some("0:0"));
        assert_eq!(
            start.entrypoint().as_deref(),
            Some(&["/podid-nmi".to_owned()][..])
        );
        let layer = format!("PODID_IMAGE_LAYER={}", image.diff_id);
        assert!(start.env().as_ref().unwrap().contains(&layer));
        let labels = start.labels().as_ref().unwrap();
        assert_eq!(labels[ANNOTATION_CREATED], "2001-09-09T01:46:40Z");
        assert_eq!(labels[ANNOTATION_REVISION], checkout().revision());
        assert_eq!(labels.len(), 7);
    }
}
