//! The software bill of materials of a program: what is linked into it, as CycloneDX 1.5.

mod checksums;
mod tree;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::external_reference::{
    ExternalReference, ExternalReferenceType, ExternalReferences,
};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata;
use cyclonedx_bom::models::property::{Properties, Property};
use cyclonedx_bom::prelude::{Bom, DateTime, Purl, SpdxExpression, SpecVersion, Uri, Validate};

use self::checksums::Checksums;
use self::tree::{About, Crate, Crates};
use crate::checkout::Checkout;
use crate::digest::{digits, sha256};
use crate::image::Image;
use crate::toolchain::Toolchain;

pub(crate) use self::tree::Tree;

/// Everything that is the same for all programs of one build.
#[derive(Debug)]
pub(crate) struct Materials {
    tree: Tree,
    checksums: Checksums,
    toolchain: Toolchain,
    checkout: Checkout,
}

impl Materials {
    /// Reads them from the workspace in `sources`, of which `tree` is the part that was built.
    pub(crate) fn read(
        sources: &Path,
        tree: Tree,
        toolchain: Toolchain,
        checkout: Checkout,
    ) -> Result<Self> {
        Ok(Self {
            tree,
            checksums: checksums::read(sources)?,
            toolchain,
            checkout,
        })
    }

    /// The bill of a program's image, as JSON. It depends on nothing but the build: it has neither the
    /// present time nor a random number.
    pub(crate) fn bill(&self, image: &Image, executable: &[u8]) -> Result<Vec<u8>> {
        let linked = self.tree.linked_into(image.program)?;
        let mut program = None;
        let mut components = Vec::new();
        let mut dependencies = Vec::new();
        for (found, about) in &linked {
            let component = self.component(found, about)?;
            if found.name == image.program.name() {
                program = Some(component);
            } else {
                components.push(component);
            }
            dependencies.push(dependency(found, about, &linked));
        }
        let program = program.context("the program is not among its own crates")?;
        components.extend(self.libraries()?);
        let bom = Bom {
            spec_version: SpecVersion::V1_5,
            serial_number: None,
            metadata: Some(self.metadata(program, image, executable)?),
            components: Some(Components(components)),
            dependencies: Some(Dependencies(dependencies)),
            ..Bom::default()
        };
        write(bom)
    }

    fn metadata(&self, program: Component, image: &Image, executable: &[u8]) -> Result<Metadata> {
        let property = |name: &str, value: &str| Property::new(format!("podid:{name}"), value);
        let program = Component {
            component_type: Classification::Application,
            hashes: Some(hashes(digits(&sha256(executable)))),
            properties: Some(Properties(vec![
                property("revision", &self.checkout.revision()),
                property("image:manifest", &image.manifest.digest),
                property("image:layer", &image.diff_id),
            ])),
            ..program
        };
        Ok(Metadata {
            timestamp: Some(DateTime::try_from(self.checkout.created())?),
            component: Some(program),
            ..Metadata::default()
        })
    }

    fn component(&self, found: &Crate, about: &About) -> Result<Component> {
        let Crate { name, version } = found;
        let mut component = Component::new(
            Classification::Library,
            name,
            version,
            Some(reference(found)),
        );
        component.licenses = license(&about.license);
        if let Some(checksum) = self.checksums.get(found) {
            component.purl = Some(Purl::new("cargo", name, version)?);
            component.hashes = Some(hashes(checksum));
        }
        let repository = Uri::new(&about.repository);
        component.external_references = (!about.repository.is_empty()).then(|| {
            let reference = ExternalReference::new(ExternalReferenceType::Vcs, repository);
            ExternalReferences(vec![reference])
        });
        Ok(component)
    }

    /// What is linked in besides crates: the libraries of the two languages.
    fn libraries(&self) -> Result<[Component; 2]> {
        let library = |name: &str, version: &str, terms: &str| -> Result<Component> {
            let id = format!("pkg:generic/{name}@{version}");
            let mut library = Component::new(Classification::Library, name, version, Some(id));
            library.purl = Some(Purl::new("generic", name, version)?);
            library.licenses = license(terms);
            Ok(library)
        };
        Ok([
            library("rust-std", &self.toolchain.rust, "MIT OR Apache-2.0")?,
            library("glibc", &self.toolchain.libc, "LGPL-2.1-or-later")?,
        ])
    }
}

/// How a crate is referred to within a bill.
fn reference(found: &Crate) -> String {
    format!("pkg:cargo/{}@{}", found.name, found.version)
}

fn dependency(found: &Crate, about: &About, linked: &Crates) -> Dependency {
    let uses = about.uses.iter().filter(|used| linked.contains_key(used));
    Dependency {
        dependency_ref: reference(found),
        dependencies: uses.map(reference).collect(),
    }
}

fn hashes(digits: &str) -> Hashes {
    Hashes(vec![Hash {
        alg: HashAlgorithm::SHA_256,
        content: HashValue(digits.to_owned()),
    }])
}

/// Old manifests write `MIT/Apache-2.0` for `MIT OR Apache-2.0`; what is no expression is kept as a name.
fn license(text: &str) -> Option<Licenses> {
    if text.is_empty() {
        return None;
    }
    let expression = SpdxExpression::try_from(text.replace('/', " OR "));
    let choice = match expression {
        Ok(expression) => LicenseChoice::Expression(expression),
        Err(_) => LicenseChoice::license(text),
    };
    Some(Licenses(vec![choice]))
}

fn write(bom: Bom) -> Result<Vec<u8>> {
    let found = bom.validate_version(SpecVersion::V1_5);
    ensure!(
        found.passed(),
        "the bill of materials is not valid CycloneDX: {found:?}"
    );
    let mut bytes = Vec::new();
    bom.output_as_json_v1_5(&mut bytes)
        .context("the bill of materials cannot be written")?;
    bytes.push(b'\n');
    Ok(bytes)
}
