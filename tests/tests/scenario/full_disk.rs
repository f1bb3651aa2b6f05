//! A disk that is full is what a person is told of, not the tool that met it first.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use podid_tests::python;

/// What `work` returns when `folder` is a disk of four megabytes, seen by nobody else.
fn on_a_small_disk<T: Send>(folder: &Path, work: impl FnOnce() -> T + Send) -> T {
    let none = None::<&str>;
    let mounted = || {
        // Of this thread alone; its mounts end with it.
        unshare(CloneFlags::CLONE_NEWNS).expect("root may make mount namespaces");
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(none, "/", none, private, none).expect("mounts become private");
        let small = Some("size=4m");
        mount(none, folder, Some("tmpfs"), MsFlags::empty(), small).expect("a small disk");
        work()
    };
    std::thread::scope(|scope| scope.spawn(mounted).join().expect("the work ends"))
}

#[test]
fn a_full_disk_is_not_taken_for_a_missing_package() {
    let cache = tempfile::tempdir().expect("a folder for the cache");
    let made = on_a_small_disk(cache.path(), || python::interpreter_in(cache.path()));
    let error = format!("{:#}", made.expect_err("there is no room for the SDKs"));
    assert!(error.contains("the disk is full"), "{error}");
    assert!(error.contains("set PODID_CACHE"), "{error}");
    assert!(!error.contains("python3-venv"), "{error}");
}
