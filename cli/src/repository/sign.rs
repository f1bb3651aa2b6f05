//! Signatures, by the programs that git would run for them.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

use git2::{Buf, Config, Oid, Repository, Signature};
use tempfile::NamedTempFile;

use super::RepositoryError;

/// Why a commit was not signed, and so not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    #[error("gpg.format {0:?} is none that git knows (openpgp, x509, ssh)")]
    Format(String),
    #[error(
        "commit.gpgsign is set, and user.signingkey is not; ssh signs with no key but a named one"
    )]
    NoKey,
    #[error("cannot run {program}, which is to sign the commit")]
    Run { program: String, source: io::Error },
    #[error("{program} did not sign the commit; it said: {said}")]
    Failed { program: String, said: String },
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// Stores a commit, with a signature if `commit.gpgsign` asks for one.
pub(super) fn write_commit(
    repository: &Repository,
    config: &Config,
    committer: &Signature<'_>,
    commit: &Buf,
) -> Result<Oid, SignError> {
    let failed = RepositoryError::git("commit");
    if !config.get_bool("commit.gpgsign").unwrap_or(false) {
        let odb = repository.odb().map_err(&failed)?;
        return Ok(odb
            .write(git2::ObjectType::Commit, commit)
            .map_err(&failed)?);
    }
    let text = commit.as_str().map_err(&failed)?;
    let signature = sign(config, committer, text.as_bytes())?;
    let id = repository.commit_signed(text, &signature, None);
    Ok(id.map_err(&failed)?)
}

fn sign(config: &Config, committer: &Signature<'_>, commit: &[u8]) -> Result<String, SignError> {
    let text = |name: &str| {
        config
            .get_string(name)
            .ok()
            .filter(|value| !value.is_empty())
    };
    let key = text("user.signingkey");
    let format = text("gpg.format").unwrap_or_else(|| "openpgp".to_owned());
    match format.as_str() {
        "openpgp" | "x509" => {
            let specific = text(&format!("gpg.{format}.program"));
            let general = || text("gpg.program").filter(|_| format == "openpgp");
            let usual = if format == "x509" { "gpgsm" } else { "gpg" };
            let program = specific
                .or_else(general)
                .unwrap_or_else(|| usual.to_owned());
            let who = committer.to_string();
            detached(&program, key.as_deref().unwrap_or(&who), commit)
        }
        "ssh" => {
            let program = text("gpg.ssh.program").unwrap_or_else(|| "ssh-keygen".to_owned());
            with_ssh(&program, &key.ok_or(SignError::NoKey)?, commit)
        }
        _ => Err(SignError::Format(format)),
    }
}

/// gpg and gpgsm: text in, signature out.
fn detached(program: &str, key: &str, commit: &[u8]) -> Result<String, SignError> {
    let mut command = Command::new(program);
    command.args(["--status-fd=2", "-bsau", key]);
    let output = run(program, &mut command, commit)?;
    signature(program, &output, &output.stdout)
}

/// ssh-keygen: the signature is in a file beside the one that is signed.
fn with_ssh(program: &str, key: &str, commit: &[u8]) -> Result<String, SignError> {
    let failed = |source| SignError::Run {
        program: program.to_owned(),
        source,
    };
    let mut text = NamedTempFile::new().map_err(failed)?;
    text.write_all(commit).map_err(failed)?;
    // A key itself in the place of its file's name: the agent has the private half.
    let literal = key
        .strip_prefix("key::")
        .or_else(|| key.starts_with("ssh-").then_some(key));
    let mut public = NamedTempFile::new().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(["-Y", "sign", "-n", "git", "-f"]);
    match literal {
        Some(literal) => {
            writeln!(public, "{literal}").map_err(failed)?;
            command.arg(public.path()).arg("-U");
        }
        None => {
            command.arg(home_expanded(key));
        }
    }
    command.arg(text.path());
    let output = run(program, &mut command, b"")?;
    let mut beside = text.path().as_os_str().to_owned();
    beside.push(".sig");
    let made = std::fs::read(&beside);
    // It is in the folder for temporary files, and nothing hangs on it.
    let _ignored = std::fs::remove_file(&beside);
    signature(program, &output, &made.unwrap_or_default())
}

fn home_expanded(path: &str) -> std::path::PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => std::path::Path::new(&home).join(rest),
        _ => path.into(),
    }
}

fn run(program: &str, command: &mut Command, input: &[u8]) -> Result<Output, SignError> {
    let failed = |source| SignError::Run {
        program: program.to_owned(),
        source,
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input ends, and says why.
        let _ignored = stdin.write_all(input);
    }
    child.wait_with_output().map_err(failed)
}

fn signature(program: &str, output: &Output, made: &[u8]) -> Result<String, SignError> {
    let text = String::from_utf8_lossy(made).replace('\r', "");
    let is_signature = text.contains("-----BEGIN ");
    if output.status.success() && is_signature {
        return Ok(text.trim_end().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let program = OsStr::new(program).to_string_lossy().into_owned();
    Err(SignError::Failed {
        program,
        said: said.trim().to_owned(),
    })
}
