//! Flags that replace folders by names that are the same everywhere.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// cargo separates flags by this in `CARGO_ENCODED_RUSTFLAGS`, which a space would not do for all paths.
const SEPARATOR: &str = "\x1f";

/// Static linking, and the replacements; of two that fit, rustc takes the later.
pub(super) fn rust(paths: &[(PathBuf, String)]) -> Result<String> {
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    for (path, name) in paths {
        flags.push(format!("--remap-path-prefix={}={name}", text(path)?));
    }
    Ok(flags.join(SEPARATOR))
}

/// The same for C and C++, as variables that the crate `cc` reads; it splits flags like a shell when told so.
pub(super) fn c(paths: &[(PathBuf, String)]) -> Result<[(&'static str, String); 3]> {
    let mut flags = Vec::new();
    for (path, name) in paths {
        flags.push(format!("'-ffile-prefix-map={}={name}'", text(path)?));
    }
    let flags = flags.join(" ");
    Ok([
        ("CC_SHELL_ESCAPED_FLAGS", "1".to_owned()),
        ("CFLAGS_x86_64_unknown_linux_gnu", flags.clone()),
        ("CXXFLAGS_x86_64_unknown_linux_gnu", flags),
    ])
}

/// A path that can stand in a flag.
fn text(path: &Path) -> Result<&str> {
    let text = path.to_str().context("not UTF-8");
    let text = text.and_then(|text| {
        // `=` ends the path in a flag, a quote the word in a list of them.
        ensure!(
            !text.contains(['=', '\'', '\x1f']),
            "a path with = or ' in it"
        );
        Ok(text)
    });
    text.with_context(|| {
        let path = path.display();
        format!(
            "cannot build in {path}: set PODID_CACHE and CARGO_HOME to folders with plain names"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_is_replaced_in_rust_and_in_c() {
        let paths = [(PathBuf::from("/home/a b"), "/podid".to_owned())];
        let rust = rust(&paths).unwrap();
        assert!(
            rust.split(SEPARATOR)
                .any(|flag| flag == "--remap-path-prefix=/home/a b=/podid")
        );
        let c = c(&paths).unwrap();
        assert_eq!(c[1].1, "'-ffile-prefix-map=/home/a b=/podid'");
    }

    #[test]
    fn a_path_that_no_flag_can_hold_is_refused() {
        for path in ["/a=b", "/it's"] {
            let said = format!(
                "{:#}",
                rust(&[(PathBuf::from(path), String::new())]).unwrap_err()
            );
            assert!(
                said.contains(path) && said.contains("PODID_CACHE"),
                "{said}"
            );
        }
    }
}
