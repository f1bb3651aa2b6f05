//! Against git's own HTTP server.

use std::sync::atomic::{AtomicUsize, Ordering};

use podid::Exit;

use super::fixture::Bare;
use super::person::Person;
use super::server::Server;
use crate::fixture::Ran;

/// Failed with these words, and without the password.
fn failed(ran: &Ran, words: &str) {
    assert_eq!(ran.exit, Exit::Failed, "{ran:?}");
    assert!(ran.err.contains(words), "{words:?} is not in: {}", ran.err);
    assert!(!ran.err.contains("hunter"), "{}", ran.err);
}

#[test]
fn a_token_opens_the_way_and_is_never_printed() {
    let bare = Bare::synced();
    let url = Server::of(&bare).url("writer@", "fleet.git");
    let person = Person::new("").with("PODID_GIT_TOKEN", "hunter2");
    let ran = person.bootstrap(&url, &["--branch=add-podid"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert!(
        !ran.out.contains("hunter2") && !ran.out.contains("writer"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("pushed  http://127.0.0.1:"), "{}", ran.out);
    let commit = bare.last("add-podid");
    assert_eq!(commit.parent_id(0).unwrap(), bare.last("main").id());
    let again = person.bootstrap(&url, &["--branch=add-podid"]);
    assert!(again.out.contains("up to date"), "{again:?}");
}

#[test]
fn the_history_of_a_branch_tells_whether_it_is_built_upon() {
    let bare = Bare::synced();
    let url = Server::of(&bare).url("writer:hunter2@", "fleet.git");
    bare.put("pages", &[("index.html", "<p>")]);
    let person = Person::new("");
    let ran = person.bootstrap(&url, &["--branch=pages"]);
    failed(&ran, "branch pages has no commit in common with main");
    assert_eq!(bare.last("pages").parent_count(), 0);
    for file in ["a", "b", "c"] {
        bare.put("main", &[(file, "x")]);
    }
    let flags = ["--branch=add-podid"];
    assert_eq!(person.bootstrap(&url, &flags).exit, Exit::Done);
    for file in ["d", "e"] {
        bare.put("main", &[(file, "x")]);
        bare.put("add-podid", &[(file, "y")]);
    }
    let class = "clusters/prod-1/podid/classes/class.yaml";
    bare.put("add-podid", &[(class, "# Written by nobody\n")]);
    let facts = "clusters/prod-1/podid/facts.yaml";
    let text = bare.read("add-podid", facts) + "# more\n";
    bare.put("add-podid", &[(facts, &text)]);
    let before = bare.last("add-podid").id();
    let ran = person.bootstrap(&url, &flags);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{ran:?}");
    assert_eq!(bare.last("add-podid").parent_id(0).unwrap(), before);
}

#[test]
fn an_empty_repository_gets_its_first_commit() {
    let bare = Bare::empty();
    let url = Server::of(&bare).url("writer:hunter2@", "fleet.git");
    let ran = Person::new("").bootstrap(&url, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert_eq!(bare.last("main").parent_count(), 0);
}

#[test]
fn a_credential_helper_is_asked_when_the_server_asks() {
    let bare = Bare::synced();
    let url = Server::of(&bare).url("", "fleet.git");
    let helper =
        "[credential]\n\thelper = \"!f() { echo username=writer; echo password=hunter2; }; f\"\n";
    let ran = Person::new(helper).bootstrap(&url, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert_eq!(bare.last("main").message(), Ok("Add podid to prod-1\n"));
}

#[test]
fn a_repository_that_moved_on_its_server_is_followed() {
    let bare = Bare::synced();
    let url = Server::of(&bare).url("writer:hunter2@", "old.git");
    let ran = Person::new("").bootstrap(&url, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
}

#[test]
fn refusals_say_what_to_do() {
    let bare = Bare::synced();
    let server = Server::of(&bare);
    let run = |login: &str, path: &str| Person::new("").bootstrap(&server.url(login, path), &[]);
    failed(
        &run("", "fleet.git"),
        "asks who you are: set PODID_GIT_TOKEN",
    );
    failed(
        &run("writer:hunter3@", "fleet.git"),
        "refuses the credentials (401): who are you?",
    );
    failed(
        &run("reader:hunter2@", "fleet.git"),
        "(403): Write access to repository not granted.",
    );
    failed(
        &run("writer:hunter2@", "none.git"),
        "has no such repository (404)",
    );
    failed(&run("writer:hunter2@", "shop"), "not as a git repository");
    assert_eq!(bare.last("main").message(), Ok("Else"));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://u:hunter2@{}/a.git", listener.local_addr().unwrap());
    drop(listener);
    failed(
        &Person::new("").bootstrap(&url, &[]),
        "127.0.0.1 does not answer",
    );
}

/// Another person's push to `main`, which changes `NEWS`.
fn others_push(path: &str, count: usize) {
    let bare = git2::Repository::open_bare(path).unwrap();
    let parent = bare.refname_to_id("refs/heads/main").unwrap();
    let parent = bare.find_commit(parent).unwrap();
    let tree = parent.tree().unwrap();
    let mut builder = bare.treebuilder(Some(&tree)).unwrap();
    let news = bare.blob(format!("{count}\n").as_bytes()).unwrap();
    builder.insert("NEWS", news, 0o100_644).unwrap();
    let tree = bare.find_tree(builder.write().unwrap()).unwrap();
    let author = git2::Signature::now("Somebody", "somebody@example.com").unwrap();
    let message = format!("News {count}");
    bare.commit(
        Some("refs/heads/main"),
        &author,
        &author,
        &message,
        &tree,
        &[&parent],
    )
    .unwrap();
}

/// A server at which others push first, this many times.
fn busy(bare: &Bare, times: usize) -> Server {
    let path = bare.path().to_owned();
    let count = AtomicUsize::new(0);
    let before_push = move || {
        let count = count.fetch_add(1, Ordering::SeqCst);
        if count < times {
            others_push(&path, count);
        }
    };
    Server::with(bare, Box::new(before_push))
}

#[test]
fn a_push_that_came_first_is_built_upon() {
    let bare = Bare::synced();
    let url = busy(&bare, 2).url("writer:hunter2@", "fleet.git");
    let ran = Person::new("").bootstrap(&url, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let commit = bare.last("main");
    assert_eq!(commit.message(), Ok("Add podid to prod-1\n"));
    assert_eq!(commit.parent(0).unwrap().message(), Ok("News 1"));
    assert_eq!(bare.read("main", "NEWS"), "1\n");
}

#[test]
fn it_gives_up_where_others_are_always_first() {
    let bare = Bare::synced();
    let url = busy(&bare, usize::MAX).url("writer:hunter2@", "fleet.git");
    let ran = Person::new("").bootstrap(&url, &[]);
    failed(&ran, "others pushed to branch main 5 times");
    assert_eq!(
        bare.last("main").message(),
        Ok("News 4"),
        "nothing of theirs is lost"
    );
}

#[test]
fn a_branch_that_is_protected_is_named_with_the_servers_words() {
    let bare = Bare::synced();
    let refuse = "echo 'main is protected' >&2; exit 1";
    super::person::script(&bare.folder.path().join("hooks"), "pre-receive", refuse);
    let url = Server::of(&bare).url("writer:hunter2@", "fleet.git");
    let ran = Person::new("").bootstrap(&url, &[]);
    failed(
        &ran,
        "refuses the commit on branch main: pre-receive hook declined",
    );
}
