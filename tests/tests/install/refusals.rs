//! What goes wrong is said in one line, with what to do, and before anything is built where that can be known.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use std::io::{BufRead, BufReader, Write};

use crate::fixture::{podid_image, tool, why};
use crate::registry::{Asks, TestRegistry};

/// Shorter than any build.
const AT_ONCE: Duration = Duration::from_secs(15);

fn push_to(destination: &str, flags: &[&str], output: &Path) -> Command {
    let mut command = podid_image(output);
    command.args(["podid", "--push", destination]).args(flags);
    command.arg("--output").arg(output);
    command
}

/// Why a command failed, which was before anything was built: nothing was said of it, and little time passed.
fn at_once(command: &mut Command) -> String {
    let began = Instant::now();
    let output = command.output().unwrap();
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    assert!(output.stdout.is_empty(), "{output:?}");
    why(&output)
}

/// Why a push was refused at once, which names the registry.
fn push_refused(destination: &str, flags: &[&str]) -> String {
    let nobody = tempfile::tempdir().unwrap();
    let why = at_once(&mut push_to(destination, flags, nobody.path()));
    let registry = destination.split('/').next().unwrap();
    assert!(why.contains(registry), "{why}");
    why
}

/// A server that answers every request with `status`, for as long as the test program runs.
fn always(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&connection);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = (&connection).write_all(head.as_bytes());
        }
    });
    address
}

#[test]
fn a_registry_that_is_not_there_is_named_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let why = push_refused(&format!("{address}/team"), &[]);
    assert!(
        why.contains("cannot reach") && why.contains("Connection refused"),
        "{why}"
    );
    let why = push_refused("no-such-host.invalid/team", &[]);
    assert!(why.contains("check its name"), "{why}");
}

#[test]
fn a_certificate_that_is_not_trusted_is_refused_with_where_to_add_it() {
    let registry = TestRegistry::start(Asks::Tls);
    let why = push_refused(&registry.name(), &[]);
    assert!(
        why.contains("not trusted") && why.contains("SSL_CERT_FILE"),
        "{why}"
    );
}

#[test]
fn a_registry_without_tls_is_refused_unless_that_is_wanted() {
    let registry = TestRegistry::start(Asks::Nothing);
    let why = push_refused(&registry.name(), &[]);
    assert!(
        why.contains("speaks no TLS") && why.contains("--plain-http"),
        "{why}"
    );
}

#[test]
fn a_registry_that_wants_credentials_says_how_to_log_in() {
    let registry = TestRegistry::start(Asks::Password);
    let why = push_refused(&registry.name(), &["--plain-http"]);
    assert!(
        why.contains(&format!("docker login {}", registry.name())),
        "{why}"
    );
}

#[test]
fn a_registry_that_forbids_pushing_is_named_with_the_repository() {
    let why = push_refused(
        &format!("{}/team", always("403 Forbidden")),
        &["--plain-http"],
    );
    assert!(why.contains("team/podid") && why.contains("403"), "{why}");
}

#[test]
fn a_repository_that_is_not_there_is_named() {
    // That it has no blob is no reason to refuse; that it takes none shows with the first.
    let nobody = tempfile::tempdir().unwrap();
    let registry = format!("{}/team", always("404 Not Found"));
    let push = push_to(&registry, &["--plain-http"], nobody.path()).output();
    let why = why(&push.unwrap());
    assert!(
        why.contains("no repository team/podid") && why.contains("404"),
        "{why}"
    );
}

#[test]
fn malformed_words_of_the_command_line_are_refused() {
    for (arguments, wanted) in [
        (&["podid-nmy"][..], "podid-nmi"),
        (&["--push", "team/podid"], "write REGISTRY/PREFIX"),
        (&["--push", "https://r.example/x"], "without https://"),
        (&["--tag", "a b"], "a tag is up to 128"),
        (&["--plain-http"], "--push"),
    ] {
        let nobody = tempfile::tempdir().unwrap();
        let output = podid_image(nobody.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn missing_tools_are_named_with_what_to_install() {
    // Programs by which this machine would be found without one of them.
    for (missing, wanted) in [("cc", "install gcc"), ("git", "is it installed")] {
        let folder = tempfile::tempdir().unwrap();
        for program in ["cargo", "rustc", "git", "cc", "getconf"] {
            if program != missing {
                symlink(tool(program), folder.path().join(program)).unwrap();
            }
        }
        let why = at_once(podid_image(folder.path()).env("PATH", folder.path()));
        assert!(why.contains(wanted) && why.contains(missing), "{why}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut command = podid_image(folder.path());
    let why = at_once(command.arg("--output").arg(file.join("images")));
    assert!(
        why.contains("cannot write to") && why.contains("file/images"),
        "{why}"
    );
    let mut command = podid_image(folder.path());
    command.arg("--output").arg(folder.path().join("images"));
    let why = at_once(command.env("PODID_CACHE", &file));
    assert!(why.contains("PODID_CACHE"), "{why}");
}

#[test]
fn a_folder_that_is_no_clone_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let why = at_once(podid_image(folder.path()).current_dir(folder.path()));
    assert!(
        why.contains("Cargo.toml") && why.contains(&folder.path().display().to_string()),
        "{why}"
    );
}
