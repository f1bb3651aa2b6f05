//! What this program was built from, and which container image it runs in.

use std::sync::LazyLock;

/// The version of the workspace.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The git commit, shortened to 12 digits; `unknown` when built outside a repository. Images add
/// `-modified` when files differed from that commit.
pub const COMMIT: &str = env!("PODID_COMMIT");

/// Environment variable that podid's images set to the digest of their layer: `sha256:` and 64
/// digits, as in `rootfs.diff_ids` of the image's configuration. An image cannot contain its own
/// digest, because that is computed from everything in it.
pub const IMAGE_LAYER_VARIABLE: &str = "PODID_IMAGE_LAYER";

/// The layer of the image that this program runs in, by what the image says; `None` outside of one.
#[must_use]
pub fn image_layer() -> Option<&'static str> {
    static LAYER: LazyLock<Option<String>> = LazyLock::new(|| {
        let said = std::env::var(IMAGE_LAYER_VARIABLE).ok()?;
        is_digest(&said).then_some(said)
    });
    LAYER.as_deref()
}

/// What `--version` shows: `#[command(version = podid_build_info::version())]`.
#[must_use]
pub fn version() -> String {
    describe(image_layer())
}

fn describe(layer: Option<&str>) -> String {
    match layer {
        Some(layer) => format!("{RELEASE} (commit {COMMIT}, image layer {layer})"),
        None => format!("{RELEASE} (commit {COMMIT})"),
    }
}

fn is_digest(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix("sha256:")
        .is_some_and(|digits| digits.len() == 64 && digits.bytes().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digest_is_taken_for_a_layer() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert!(is_digest(&digest));
        let wrong = [
            "",
            "sha256:",
            "latest",
            &digest[..70],
            &digest.to_uppercase(),
            &format!("{digest}0"),
            &digest.replace('a', "\n"),
        ];
        for text in wrong {
            assert!(!is_digest(text), "{text}");
        }
    }

    #[test]
    fn the_version_names_the_layer_only_inside_an_image() {
        assert_eq!(describe(None), format!("{RELEASE} (commit {COMMIT})"));
        let inside = describe(Some("sha256:12"));
        assert!(inside.ends_with(", image layer sha256:12)"), "{inside}");
    }
}
