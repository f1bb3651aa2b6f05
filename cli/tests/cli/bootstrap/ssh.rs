//! Over ssh, in whose place a script runs what it is asked to run.

use std::fs;
use std::path::Path;
use std::process::Command;

use podid::Exit;

use super::fixture::Bare;
use super::person::Person;

/// Writes its arguments down, and runs the last one here.
const LOCAL: &str = "\
for last; do echo \"$last\" >> \"$HOME/asked\"; done
exec sh -c \"$last\"";

#[test]
fn ssh_is_started_as_git_starts_it() {
    let bare = Bare::synced();
    let person = Person::new("");
    let ssh = person.script("ssh", LOCAL);
    let line = format!("{} -o ProxyJump=gate", ssh.display());
    let person = person.with("GIT_SSH_COMMAND", &line);
    let url = format!("ssh://git@git.example.com:2222{}", bare.path());
    let ran = person.bootstrap(&url, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert_eq!(bare.last("main").message(), Ok("Add podid to prod-1\n"));
    let asked = fs::read_to_string(person.home.path().join("asked")).unwrap();
    let first: Vec<&str> = asked.lines().take(6).collect();
    let command = format!("git-upload-pack '{}'", bare.path());
    assert_eq!(
        first,
        [
            "-o",
            "ProxyJump=gate",
            "-p",
            "2222",
            "git@git.example.com",
            &command
        ]
    );
    let again = person.bootstrap(&url, &[]);
    assert!(again.out.contains("up to date"), "{again:?}");
}

#[test]
fn gits_setting_names_the_program_too() {
    let bare = Bare::synced();
    let person = Person::new("[core]\n\tsshCommand = sh ~/ssh\n");
    person.script("ssh", LOCAL);
    let url = format!("git@git.example.com:{}", bare.path());
    let ran = person.bootstrap(&url, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
}

#[test]
fn what_ssh_says_is_shown() {
    let person = Person::new("");
    let said = "git@git.example.com: Permission denied (publickey).";
    let ssh = person.script("ssh", &format!("echo '{said}' >&2; exit 255"));
    let person = person.with("GIT_SSH", ssh.to_str().unwrap());
    let ran = person.bootstrap("git@git.example.com:shop/fleet.git", &[]);
    assert_eq!(ran.exit, Exit::Failed);
    assert!(ran.err.contains(said), "{}", ran.err);
    let missing = Person::new("").with("GIT_SSH", "/nowhere/ssh");
    let ran = missing.bootstrap("git@git.example.com:shop/fleet.git", &[]);
    assert!(
        ran.err.contains("cannot start ssh (/nowhere/ssh)"),
        "{}",
        ran.err
    );
}

fn verified(repository: &Path, settings: &[&str]) -> std::process::Output {
    let mut git = Command::new("git");
    git.arg("-C").arg(repository);
    for setting in settings {
        git.args(["-c", setting]);
    }
    git.args(["verify-commit", "main"]).output().unwrap()
}

#[test]
fn a_commit_is_signed_by_the_key_that_git_would_take() {
    let bare = Bare::synced();
    let mut config = bare.repository.config().unwrap();
    config.set_bool("commit.gpgsign", true).unwrap();
    config.set_str("gpg.format", "ssh").unwrap();
    let key = bare.folder.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    config
        .set_str("user.signingkey", key.to_str().unwrap())
        .unwrap();
    let ran = bare.bootstrap(&[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let signers = bare.folder.path().join("signers");
    fs::write(&signers, format!("platform@example.com {public}")).unwrap();
    let allowed = format!("gpg.ssh.allowedSignersFile={}", signers.display());
    let output = verified(bare.folder.path(), &["gpg.format=ssh", &allowed]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn gpg_is_run_as_git_runs_it() {
    let bare = Bare::synced();
    let person = Person::new("");
    let gpg = "echo \"$@\" > \"$(dirname \"$0\")/asked\"; cat > /dev/null\n\
               printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n-----END PGP SIGNATURE-----\\n'";
    let program = person.script("gpg", gpg);
    let mut config = bare.repository.config().unwrap();
    config.set_bool("commit.gpgsign", true).unwrap();
    config
        .set_str("gpg.program", program.to_str().unwrap())
        .unwrap();
    let ran = bare.bootstrap(&[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let asked = fs::read_to_string(program.with_file_name("asked")).unwrap();
    assert_eq!(
        asked,
        "--status-fd=2 -bsau Platform team <platform@example.com>\n"
    );
    let commit = bare.last("main");
    let header = commit.header_field_bytes("gpgsig").unwrap();
    assert!(header.starts_with(b"-----BEGIN PGP SIGNATURE-----"));
}

#[test]
fn what_cannot_be_signed_is_not_committed() {
    let bare = Bare::synced();
    let person = Person::new("");
    let program = person.script("gpg", "echo 'no secret key' >&2; exit 2");
    let mut config = bare.repository.config().unwrap();
    config.set_bool("commit.gpgsign", true).unwrap();
    config
        .set_str("gpg.program", program.to_str().unwrap())
        .unwrap();
    let ran = bare.bootstrap(&[]);
    assert_eq!(ran.exit, Exit::Failed);
    assert!(
        ran.err
            .contains("did not sign the commit; it said: no secret key"),
        "{}",
        ran.err
    );
    assert_eq!(bare.last("main").message(), Ok("Else"));
}
