//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::programs::ShippedProgram;
use crate::push::Destination;

/// Builds container images of podid's programs, without a container engine.
///
/// Writes for each program into the output folder: `NAME/`, an OCI image layout; `NAME.tar`, the same as an
/// archive, for `ctr image import`; `NAME.cdx.json`, the list of all that is linked into it; and
/// `images.json`, the digests of all of them.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask image",
    bin_name = "cargo xtask image",
    version = podid_build_info::version(),
    max_term_width = 100,
    after_help = EXAMPLES
)]
pub struct Args {
    /// Programs to build images of; none named: all.
    #[arg(value_name = "NAME")]
    pub programs: Vec<ShippedProgram>,

    /// Folder for the images.
    #[arg(long, value_name = "DIR", default_value = "target/images")]
    pub output: PathBuf,

    /// Tag of the images; the version of podid when left out.
    #[arg(long, value_parser = tag, default_value = podid_build_info::RELEASE)]
    pub tag: String,

    /// Push the images to REGISTRY/PREFIX/NAME:TAG, with the credentials of `docker login`.
    #[arg(long, value_name = "REGISTRY/PREFIX")]
    pub push: Option<Destination>,

    /// Push over HTTP without TLS, for a registry on a network that you trust.
    #[arg(long, requires = "push")]
    pub plain_http: bool,

    /// Build everything a second time in another folder, and fail unless every digest is the same.
    #[arg(long)]
    pub verify: bool,
}

const EXAMPLES: &str = "\
Examples:
  Build all images into target/images:
    cargo xtask image

  Build the node daemon's image and push it to registry.example.com/team/podid-nmi:0.1.0:
    cargo xtask image podid-nmi --push registry.example.com/team

  Show that the images depend on nothing but the sources and the compilers:
    cargo xtask image --verify";

/// As the distribution specification wants it.
fn tag(text: &str) -> Result<String, String> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first = text.bytes().next().is_some_and(is_word);
    let rest = text
        .bytes()
        .all(|byte| is_word(byte) || b".-".contains(&byte));
    if first && rest && text.len() <= 128 {
        Ok(text.to_owned())
    } else {
        Err("a tag is up to 128 letters, digits, `_`, `.` and `-`, and begins with none of the last two".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn tags_are_those_that_registries_take() {
        for good in ["0.1.0", "v1", "_x", &"a".repeat(128)] {
            assert_eq!(tag(good), Ok(good.to_owned()));
        }
        for bad in ["", ".1", "-1", "a/b", "a:b", "a b", "ä", &"a".repeat(129)] {
            assert!(tag(bad).is_err(), "{bad}");
        }
    }
}
