//! What one run does, in its order.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use podid_lab::tools::cache_root;
use serde::Serialize;

use crate::args::Args;
use crate::checkout::Checkout;
use crate::compile::Workshop;
use crate::image::Image;
use crate::layout;
use crate::programs::ShippedProgram;
use crate::push::Registry;
use crate::sbom::{Materials, Tree};
use crate::toolchain::Toolchain;
use crate::ui;

/// Folders of the cache: that of every build, and that of `--verify`, which differs in its length too.
const FIRST: &str = "images/first";
const AGAIN: &str = "images/once-again";

/// An image and the list of what is in it.
#[derive(Debug, PartialEq, Eq)]
struct Built {
    image: Image,
    bill: Vec<u8>,
}

/// A line of `images.json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    name: &'a str,
    /// The name in the archive.
    reference: String,
    /// The image's own digest; a registry and `imageID` of a pod show this.
    digest: &'a str,
    /// Digest of the layer before compression; the program prints this.
    layer: &'a str,
    /// Size of the compressed layer, in bytes.
    size: usize,
    revision: String,
}

/// Runs the program: exit code 0 when all was done, 1 when something failed, which is said on one line.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn start(args: Args) -> Result<()> {
    // The error only says that a provider is installed, which is what was wanted.
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime for network calls")?;
    runtime.block_on(make(args))
}

async fn make(args: Args) -> Result<()> {
    let mut programs = args.programs;
    if programs.is_empty() {
        programs = ShippedProgram::ALL.to_vec();
    }
    programs.sort();
    programs.dedup();
    // What can be refused is refused before minutes of building.
    let registry = match args.push {
        Some(destination) => {
            let registry = Registry::new(destination, args.plain_http)?;
            registry.check(programs[0]).await?;
            Some(registry)
        }
        None => None,
    };
    let root = std::env::current_dir().context("the working directory is gone")?;
    let checkout = Checkout::of(&root)?;
    let toolchain = Toolchain::find(&root)?;
    check_writable(&args.output)?;
    let built = build(FIRST, &programs, &checkout, &toolchain)?;
    if args.verify {
        compare(&built, &build(AGAIN, &programs, &checkout, &toolchain)?)?;
    }
    write(&built, &args.tag, &args.output, &checkout)?;
    if let Some(registry) = registry {
        push(&registry, &built, &args.tag).await?;
    }
    Ok(())
}

/// Makes the folder, and a file without a name in it.
fn check_writable(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .and_then(|()| tempfile::tempfile_in(folder))
        .map(drop)
        .with_context(|| unwritable(folder))
}

fn unwritable(folder: &Path) -> String {
    format!(
        "cannot write to {}: make it writable, or choose another folder with --output",
        folder.display()
    )
}

/// Builds, packs and describes the programs in a folder of the cache.
fn build(
    folder: &str,
    programs: &[ShippedProgram],
    checkout: &Checkout,
    toolchain: &Toolchain,
) -> Result<Vec<Built>> {
    let folder = cache_root()?.join(folder);
    let workshop = Workshop::open(&folder, checkout)?;
    ui::step(&format!("Building static programs in {}", folder.display()));
    let executables = workshop.build(programs, checkout, toolchain)?;
    ui::step("Packing");
    let tree = Tree::of(workshop.source())?;
    let materials = Materials::read(workshop.source(), tree, toolchain.clone(), checkout.clone())?;
    let pack = |(&program, executable): (&ShippedProgram, &Vec<u8>)| {
        let image = Image::pack(program, executable, checkout)?;
        let bill = materials.bill(&image, executable)?;
        Ok(Built { image, bill })
    };
    programs.iter().zip(&executables).map(pack).collect()
}

/// Fails unless both builds are the same to the last bit.
fn compare(built: &[Built], again: &[Built]) -> Result<()> {
    let differing: Vec<&str> = built
        .iter()
        .zip(again)
        .filter(|(first, second)| first != second)
        .map(|(first, _)| first.image.program.name())
        .collect();
    if !differing.is_empty() {
        bail!(
            "built twice, these differ: {}; something of the folder or of the time got into them, which \
             `strings` on both programs may show",
            differing.join(", ")
        );
    }
    ui::good("built twice in two folders: every digest is the same");
    Ok(())
}

fn write(built: &[Built], tag: &str, folder: &Path, checkout: &Checkout) -> Result<()> {
    ui::step(&format!("Images in {}", folder.display()));
    let unwritable = || unwritable(folder);
    let mut summaries = Vec::new();
    for Built { image, bill } in built {
        layout::write(image, tag, folder)?;
        let name = image.program.name();
        fs::write(folder.join(format!("{name}.cdx.json")), bill).with_context(unwritable)?;
        let megabytes = image.layer.bytes.len() as f64 / 1e6;
        let digest = &image.manifest.digest;
        ui::good(&format!(
            "{} {digest} ({megabytes:.1} MB)",
            layout::reference(image, tag)
        ));
        summaries.push(Summary {
            name,
            reference: layout::reference(image, tag),
            digest,
            layer: &image.diff_id,
            size: image.layer.bytes.len(),
            revision: checkout.revision(),
        });
    }
    let mut summaries = serde_json::to_vec_pretty(&summaries)?;
    summaries.push(b'\n');
    fs::write(folder.join("images.json"), summaries).with_context(unwritable)
}

async fn push(registry: &Registry, built: &[Built], tag: &str) -> Result<()> {
    ui::step("Pushing");
    for Built { image, .. } in built {
        let pushed = registry.push(image, tag).await?;
        let done = match pushed.sent {
            0 => "was there already",
            _ => "pushed",
        };
        ui::good(&format!("{} {done}", pushed.reference));
    }
    Ok(())
}
