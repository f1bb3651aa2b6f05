//! Puts the git commit that the crate is built from into `PODID_COMMIT`.
//!
//! The commit is read from the repository's own files, so that neither the `git` program nor a
//! repository is needed: outside of one (a source archive) the commit is `unknown`, unless the
//! environment variable `PODID_COMMIT` names it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

const VARIABLE: &str = "PODID_COMMIT";

fn main() {
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let commit = env::var(VARIABLE).ok().or_else(|| head_commit(&git_dir()?));
    println!(
        "cargo:rustc-env={VARIABLE}={}",
        commit.as_deref().unwrap_or("unknown")
    );
}

/// The repository's directory, looked for from the package upwards, as seen from there: cargo runs
/// this in the package's folder, and a clone that is copied must not watch the other one.
fn git_dir() -> Option<PathBuf> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    let dot_git = (0..package.ancestors().count())
        .map(|levels| Path::new(&"../".repeat(levels)).join(".git"))
        .find(|path| path.exists())?;
    if dot_git.is_dir() {
        return Some(dot_git);
    }
    // A linked worktree or a submodule: a file that says `gitdir: PATH`.
    let pointer = fs::read_to_string(&dot_git).ok()?;
    Some(
        dot_git
            .parent()?
            .join(pointer.strip_prefix("gitdir:")?.trim()),
    )
}

fn head_commit(git: &Path) -> Option<String> {
    // HEAD changes with the branch, its log with every commit.
    watch(&git.join("HEAD"));
    watch(&git.join("logs/HEAD"));
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let commit = match head.trim().strip_prefix("ref: ") {
        None => head.trim().to_owned(),
        Some(name) => resolve(git, name)?,
    };
    Some(commit.chars().take(12).collect())
}

/// The commit a branch points to; branches of a linked worktree live in the main repository.
fn resolve(git: &Path, name: &str) -> Option<String> {
    let common = fs::read_to_string(git.join("commondir"))
        .map_or_else(|_| git.to_owned(), |path| git.join(path.trim()));
    let loose = common.join(name);
    if let Ok(commit) = fs::read_to_string(&loose) {
        watch(&loose);
        return Some(commit.trim().to_owned());
    }
    let packed = common.join("packed-refs");
    watch(&packed);
    fs::read_to_string(packed).ok()?.lines().find_map(|line| {
        let (commit, branch) = line.split_once(' ')?;
        (branch == name).then(|| commit.to_owned())
    })
}

/// Watching a file that is missing would run this script on every build.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}
