//! A git working tree for one test, and `podid` run in it.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{Repository, Signature, Status};
use podid::Exit;
use tempfile::TempDir;

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `podid` with these arguments, and strips the colours.
pub(crate) fn podid(arguments: &[&str]) -> Ran {
    run("podid", arguments)
}

/// Runs the same program under another name.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Ran {
    let mut out = anstream::StripStream::new(Vec::new());
    let mut err = anstream::StripStream::new(Vec::new());
    let line = std::iter::once(program)
        .chain(arguments.iter().copied())
        .map(Into::into);
    let exit = podid::run(line, &mut out, &mut err);
    let text = |stream: anstream::StripStream<Vec<u8>>| {
        String::from_utf8(stream.into_inner()).expect("UTF-8")
    };
    Ran {
        exit,
        out: text(out),
        err: text(err),
    }
}

/// A working tree with one commit.
pub(crate) struct Tree {
    pub(crate) repository: Repository,
    pub(crate) folder: TempDir,
}

impl Tree {
    /// With these files committed.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let tree = Self::unborn();
        tree.commit(files, &[]);
        tree
    }

    /// Commits these files, and that those are gone.
    pub(crate) fn commit(&self, files: &[(&str, &str)], gone: &[&str]) {
        let mut index = self.repository.index().unwrap();
        for path in gone {
            fs::remove_file(self.path(path)).unwrap();
            index.remove_path(Path::new(path)).unwrap();
        }
        for (path, text) in files {
            self.put(path, text);
            index.add_path(Path::new(path)).unwrap();
        }
        index.write().unwrap();
        let oid = index.write_tree().unwrap();
        let content = self.repository.find_tree(oid).unwrap();
        let author = Signature::now("Somebody", "somebody@example.com").unwrap();
        let head = self.repository.head().ok();
        let parent = head.map(|head| head.peel_to_commit().unwrap());
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        self.repository
            .commit(Some("HEAD"), &author, &author, "Start", &content, &parents)
            .unwrap();
    }

    /// Without any commit.
    pub(crate) fn unborn() -> Self {
        let folder = TempDir::new().unwrap();
        let mut options = git2::RepositoryInitOptions::new();
        options.initial_head("main");
        let repository = Repository::init_opts(folder.path(), &options).unwrap();
        let mut config = repository.config().unwrap();
        config.set_str("user.name", "Shop team").unwrap();
        config.set_str("user.email", "shop@example.com").unwrap();
        config.set_bool("commit.gpgsign", false).unwrap();
        Self { repository, folder }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn stage(&self, path: &str) {
        let mut index = self.repository.index().unwrap();
        index.add_path(Path::new(path)).unwrap();
        index.write().unwrap();
    }

    /// `podid … --repo` this tree.
    pub(crate) fn podid(&self, arguments: &[&str]) -> Ran {
        let folder = self.folder.path().to_str().unwrap();
        podid(&[arguments, &["--repo", folder]].concat())
    }

    /// A profile called `checkout` in `payments`, with further flags.
    pub(crate) fn profile(&self, flags: &[&str]) -> Ran {
        let base = [
            "profile", "create", "checkout", "-n", "payments", "--class", "standard",
        ];
        self.podid(&[&base, flags].concat())
    }

    /// The last commit's message, and the files it touched.
    pub(crate) fn last(&self) -> (String, Vec<String>) {
        let commit = self.repository.head().unwrap().peel_to_commit().unwrap();
        let before = commit.parent(0).ok().map(|parent| parent.tree().unwrap());
        let after = commit.tree().unwrap();
        let diff = self
            .repository
            .diff_tree_to_tree(before.as_ref(), Some(&after), None)
            .unwrap();
        let files = diff
            .deltas()
            .map(|delta| delta.new_file().path().unwrap().display().to_string())
            .collect();
        (commit.message().unwrap().to_owned(), files)
    }

    /// Everything that is not as in the last commit.
    pub(crate) fn status(&self) -> Vec<(String, Status)> {
        let mut options = git2::StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true);
        let statuses = self.repository.statuses(Some(&mut options)).unwrap();
        statuses
            .iter()
            .map(|entry| (entry.path().unwrap().to_owned(), entry.status()))
            .collect()
    }
}

/// The program `podid`: cargo builds it beside the folder of the tests.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().with_file_name("podid")
}
