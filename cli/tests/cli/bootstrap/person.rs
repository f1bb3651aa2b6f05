//! A person with settings of their own, who runs the program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use podid::Exit;
use tempfile::TempDir;

use super::fixture::facts;
use crate::fixture::{Ran, program};

/// A home folder with git's settings. Nothing else of the environment reaches the program.
pub(crate) struct Person {
    pub(crate) home: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Person {
    pub(crate) fn new(settings: &str) -> Self {
        let home = TempDir::new().unwrap();
        let user = "[user]\n\tname = Platform team\n\temail = platform@example.com\n";
        fs::write(home.path().join(".gitconfig"), format!("{user}{settings}")).unwrap();
        Self {
            home,
            variables: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// An executable file in the home folder.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        script(self.home.path(), name, text)
    }

    /// `podid bootstrap git` with every fact, and further flags.
    pub(crate) fn bootstrap(&self, repo: &str, flags: &[&str]) -> Ran {
        let output = Command::new(program())
            .args(["bootstrap", "git", "--repo", repo])
            .args(facts())
            .args(flags)
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        let exit = match output.status.code() {
            Some(0) => Exit::Done,
            Some(1) => Exit::Failed,
            code => panic!("podid ended with {code:?}: {output:?}"),
        };
        Ran {
            exit,
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// An executable file.
pub(crate) fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}
