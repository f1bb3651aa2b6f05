//! The cache of the lab's programs: found by whoever has it, honest about a full disk, and clean
//! after a build that broke off. Needs root and the lab's programs; fails without them.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

fn tools() -> Command {
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new(own.with_file_name("../podid-lab"));
    command.arg("tools");
    command
}

/// A folder with a Go whose builds are `build`, a script for `sh`.
fn go(folder: &Path, build: &str) -> PathBuf {
    let script = format!(
        "#!/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n\
         case $1 in env) echo go1.99.0 ;; *) {build} ;; esac\n"
    );
    let program = folder.join("go");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    folder.to_owned()
}

fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn finished_programs_are_used_whatever_go_the_machine_has() {
    let folder = tempfile::tempdir().unwrap();
    let found = |groups: &[&str], path: Option<&OsStr>| {
        let mut command = tools();
        command.args(groups);
        if let Some(path) = path {
            command.env("PATH", path);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let set = found(&[], None);
    let other = go(folder.path(), "echo this must not be asked >&2; exit 1");
    assert_eq!(found(&[], Some(other.as_os_str())), set);
    let none = tempfile::tempdir().unwrap();
    assert_eq!(found(&[], Some(none.path().as_os_str())), set);
    // Some of them make a toolset of their own.
    let fewer = found(&["etcd", "kubernetes"], Some(none.path().as_os_str()));
    assert_ne!(fewer, set);
    let bin = Path::new(fewer.trim()).join("bin");
    assert!(bin.join("kube-apiserver").exists());
    assert!(!bin.join("helm-controller").exists());
}

#[test]
fn only_what_is_named_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let asked = folder.path().join("asked");
    // Makes an empty program of each package, and notes the last one.
    let build = format!(
        "while [ $# -gt 1 ]; do [ $1 != -o ] || touch $2; shift; done; echo $1 >>{}",
        asked.display()
    );
    let path = go(folder.path(), &build);
    let run = |group: &str| {
        let mut command = tools();
        command.arg(group);
        command.env("PATH", &path).env("PODID_CACHE", cache.path());
        command.output().unwrap()
    };
    for _ in 0..2 {
        let output = run("etcd");
        assert!(output.status.success(), "{output:?}");
        let set = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        assert!(set.join("bin/etcd").exists());
        assert!(!set.join("crds").exists());
    }
    let built = fs::read_to_string(&asked).unwrap();
    assert_eq!(built, "go.etcd.io/etcd/server/v3\n");
    let said = complaint(&run("nothing"));
    assert!(said.contains("kustomize-controller"), "{said}");
}

#[test]
fn a_set_whose_builds_were_removed_is_built_anew() {
    let output = tools().output().unwrap();
    let set = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let cache = tempfile::tempdir().unwrap();
    let copied = cache.path().join("tools");
    fs::create_dir(&copied).unwrap();
    // Links of links: the builds are removed by removing the links to them.
    for entry in fs::read_dir(set.parent().unwrap()).unwrap() {
        let (path, name) = entry
            .map(|entry| (entry.path(), entry.file_name()))
            .unwrap();
        let is_set = name.to_string_lossy().starts_with("set-");
        if path.is_dir() && !is_set {
            symlink(&path, copied.join(&name)).unwrap();
        }
    }
    let copy = copied.join(set.file_name().unwrap());
    fs::create_dir_all(copy.join("bin")).unwrap();
    for folder in ["", "bin"] {
        for entry in fs::read_dir(set.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if let Ok(target) = fs::read_link(entry.path()) {
                symlink(target, copy.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    let bin = tempfile::tempdir().unwrap();
    let path = go(bin.path(), "echo asked >&2; exit 1");
    let run = || {
        let mut command = tools();
        command.env("PATH", &path).env("PODID_CACHE", cache.path());
        command.output().unwrap()
    };
    assert!(run().status.success(), "the copy is whole");
    let program = fs::read_link(copy.join("bin/helm-controller")).unwrap();
    let build = program.iter().nth(2).unwrap();
    fs::remove_file(copied.join(build)).unwrap();
    let said = complaint(&run());
    assert!(said.contains("failed: asked"), "{said}");
}

#[test]
fn a_build_that_broke_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| {
        let place = folder.path().join(name);
        fs::create_dir(&place).unwrap();
        place
    };
    let (cache, temporary) = (place("cache"), place("temporary"));
    // As a Go does that is killed: it has made its folder, and does not clear it.
    let path = go(
        &place("bin"),
        "mktemp -d \"${GOTMPDIR:-${TMPDIR:-/tmp}}/go-build.XXXXXX\" >&2; kill -9 $$",
    );
    fs::create_dir_all(cache.join("tools/.kubernetes-0123.partial")).unwrap();
    let output = tools()
        .env("PATH", path)
        .env("PODID_CACHE", &cache)
        .env("TMPDIR", &temporary)
        .output()
        .unwrap();
    let said = complaint(&output);
    assert!(said.contains("building kubernetes failed"), "{said}");
    let left = |folder: &Path| -> Vec<_> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(left(&temporary), Vec::<std::ffi::OsString>::new());
    let mut kept = left(&cache.join("tools"));
    kept.sort();
    assert_eq!(kept, ["kubernetes.log", "lock"]);
}

/// What `work` returns when `folder` is a disk of a megabyte, seen by nobody else.
fn on_a_small_disk<T: Send>(folder: &Path, work: impl FnOnce() -> T + Send) -> T {
    let none = None::<&str>;
    let mounted = || {
        // Of this thread alone; its mounts end with it.
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let small = Some("size=1m");
        mount(none, folder, Some("tmpfs"), MsFlags::empty(), small).unwrap();
        work()
    };
    std::thread::scope(|scope| scope.spawn(mounted).join().unwrap())
}

#[test]
fn a_full_disk_is_called_one() {
    let folder = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    // The last word is not about the disk, as with a linker that was ended by a signal.
    let path = go(
        folder.path(),
        "head -c 4000000 /dev/zero >\"$TMPDIR/object\"; echo link: signal: bus error >&2; exit 1",
    );
    let output = on_a_small_disk(cache.path(), || {
        let mut command = tools();
        command.env("PATH", path).env("PODID_CACHE", cache.path());
        command.output().unwrap()
    });
    let said = complaint(&output);
    assert!(
        said.contains("cannot build kubernetes: the disk is full"),
        "{said}"
    );
    assert!(said.contains(cache.path().to_str().unwrap()), "{said}");
    assert!(said.contains("set PODID_CACHE"), "{said}");
}

#[test]
fn another_full_disk_is_called_one_too() {
    let folder = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    // Go's own caches may be elsewhere; and it goes on to say other things.
    let full = "write /elsewhere/go-build/a: no space left on device";
    let path = go(
        folder.path(),
        &format!("echo {full} >&2; echo link: failed >&2; exit 1"),
    );
    let mut command = tools();
    command.env("PATH", path).env("PODID_CACHE", cache.path());
    let said = complaint(&command.output().unwrap());
    let told = format!("cannot build kubernetes: a disk is full: {full}");
    assert!(said.contains(&told), "{said}");
}
