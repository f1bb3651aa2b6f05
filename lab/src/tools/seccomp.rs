//! libseccomp, with which runc filters the system calls of containers: the system's
//! own, or one in the cache.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cache::{Cache, CacheError};
use super::debian;
use super::error::ToolsError;
use super::progress;

/// The build tag that has runc use it; part of the name of such a build.
pub(super) const TAG: &str = "seccomp";
/// Entry of the cache, for systems that lack its headers.
const ENTRY: &str = "libseccomp";
/// What only compiles and links where all is there.
const PROBE: &str = "#include <seccomp.h>\nint main(void) { return seccomp_version() == 0; }\n";

/// Has `command`, a build by Go, link libseccomp; `temporary` is a folder of that build.
pub(super) fn link(
    command: &mut Command,
    cache: &Cache,
    temporary: &Path,
) -> Result<(), ToolsError> {
    let flags = flags(cache)?;
    // Go asks pkg-config for the flags; this answers, whether there is one or not.
    let answer = temporary.join("pkg-config");
    fs::write(&answer, pkg_config(&flags))
        .and_then(|()| fs::set_permissions(&answer, fs::Permissions::from_mode(0o755)))
        .map_err(CacheError::from)?;
    command
        .env("CGO_ENABLED", "1")
        .env("PKG_CONFIG", answer)
        .env("GOFLAGS", format!("-mod=readonly -tags={TAG}"));
    Ok(())
}

/// A script that answers as pkg-config: to `--cflags` with those that find headers, to `--libs`
/// with the others. Go refuses one where it does not belong.
fn pkg_config(flags: &[String]) -> String {
    let (cflags, libs): (Vec<&str>, Vec<&str>) = flags
        .iter()
        .map(String::as_str)
        .partition(|flag| flag.starts_with("-I"));
    format!(
        "#!/bin/sh\ncase $1 in --cflags) echo '{}' ;; *) echo '{}' ;; esac\n",
        cflags.join(" "),
        libs.join(" ")
    )
}

/// Flags by which the C compiler finds the library, its headers and all that is below them.
fn flags(cache: &Cache) -> Result<Vec<String>, ToolsError> {
    let system = vec!["-lseccomp".to_owned()];
    if compiles(&system).is_ok() {
        return Ok(system);
    }
    // What the compiler says of a program that needs nothing tells whether there is one.
    compile("int main(void) { return 0; }\n", &[]).map_err(|reason| ToolsError::System {
        needed: "nodes by kubelet need a C compiler, to build runc",
        remedy: "install gcc with the C library's headers (Debian: gcc libc6-dev)",
        reason,
    })?;
    let lacking = |reason| ToolsError::System {
        needed: "nodes by kubelet need libseccomp with its headers, to build runc",
        remedy: "install them (Debian: libseccomp-dev; Fedora: libseccomp-devel)",
        reason,
    };
    cache.fill(ENTRY, |dir| {
        progress::note(
            "no headers of libseccomp: unpacking the package libseccomp-dev into the cache",
        );
        debian::unpack("libseccomp-dev", dir).map_err(lacking)
    })?;
    let unpacked = unpacked(&cache.dir(ENTRY)).map_err(CacheError::from)?;
    compiles(&unpacked).map_err(lacking)?;
    Ok(unpacked)
}

fn unpacked(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut flags = vec![format!("-I{}", folder.join("usr/include").display())];
    for entry in fs::read_dir(folder.join("usr/lib"))? {
        let library: PathBuf = entry?.path().join("libseccomp.a");
        if library.is_file() {
            // By its path: there is no shared library beside it.
            flags.push(library.display().to_string());
        }
    }
    Ok(flags)
}

fn compiles(flags: &[String]) -> Result<(), String> {
    compile(PROBE, flags)
}

fn compile(source: &str, flags: &[String]) -> Result<(), String> {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "gcc".into());
    let mut child = Command::new(&compiler)
        .args(["-x", "c", "-", "-x", "none", "-o", "/dev/null"])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", compiler.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that reads nothing says why.
        let _ = std::io::Write::write_all(&mut stdin, source.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let error = said.lines().find(|line| line.contains("error"));
    Err(error.unwrap_or("the C compiler failed").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_is_told_of_headers_and_libraries_apart() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("pkg-config");
        let flags = ["-I/cache/include", "/cache/libseccomp.a"].map(str::to_owned);
        fs::write(&script, pkg_config(&flags)).unwrap();
        let answer = |question: &str| {
            let output = Command::new("sh").arg(&script).arg(question).output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        assert_eq!(answer("--cflags"), "-I/cache/include\n");
        assert_eq!(answer("--libs"), "/cache/libseccomp.a\n");
    }

    #[test]
    fn a_compiler_that_fails_says_why_in_one_line() {
        let reason = compile("int main(void) { return missing; }\n", &[]).unwrap_err();
        assert!(reason.contains("missing"), "{reason}");
        assert!(!reason.contains('\n'), "{reason}");
        let flags = ["-lno-such-library".to_owned()];
        assert!(compile("int main(void) { return 0; }\n", &flags).is_err());
    }
}
