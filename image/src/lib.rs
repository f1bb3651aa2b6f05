//! podid's container images, without a container engine: an image is a tar file, two JSON files and their
//! digests.
//!
//! [`run`] stages the sources that git knows of into a folder of the cache, lets cargo build static programs
//! there, packs each with the few files it needs, describes what is linked into it (SBOM), and writes
//! [OCI image layouts](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md), which it
//! can push. The same sources, Rust, C compiler and C library give the same digests in whatever folder the
//! clone is.

mod app;
pub mod args;
mod checkout;
mod compile;
mod digest;
mod image;
mod layer;
mod layout;
mod programs;
pub mod push;
mod root_files;
mod sbom;
mod toolchain;
mod ui;

pub use app::run;
pub use digest::sha256;
pub use image::Image;
pub use programs::ShippedProgram;
