//! The page `docs/plan.md`, and what `docs/migrate.md` says of values, typed along.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fixture::{Tree, program};

/// The YAML of a page that declares this kind first.
fn yaml(page: &str, kind: &str) -> String {
    let page = fs::read_to_string(Path::new("../docs").join(page)).unwrap();
    let blocks = page.split("```yaml\n").skip(1);
    let mut blocks = blocks.map(|rest| rest.split_once("```").unwrap().0.to_owned());
    let wanted = format!("kind: {kind}\n");
    blocks.find(|block| block.contains(&wanted)).unwrap()
}

/// Runs the fenced `sh` blocks of a page, or of one section of it, in `folder`, and returns what they said.
fn follow(page: &str, section: Option<&str>, folder: &Path, repository: &Path) -> String {
    let text = fs::read_to_string(Path::new("../docs").join(page)).unwrap();
    let text = match section {
        Some(heading) => {
            let (_, rest) = text.split_once(&format!("\n## {heading}\n")).unwrap();
            rest.split("\n## ").next().unwrap()
        }
        None => &text,
    };
    let blocks = text.split("```sh\n").skip(1);
    let blocks: Vec<&str> = blocks
        .map(|rest| rest.split_once("```").unwrap().0)
        .collect();
    assert!(!blocks.is_empty(), "{page} holds no commands");
    let program = program();
    let programs = program.parent().unwrap();
    let system = std::env::var_os("PATH").unwrap();
    let path = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&system));
    let output = Command::new("bash")
        .args(["-c", &format!("set -euo pipefail\n{}", blocks.join("\n"))])
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("HOME", folder)
        .env("REPOSITORY", repository)
        .env("GIT_AUTHOR_NAME", "Shop")
        .env("GIT_AUTHOR_EMAIL", "shop@example.com")
        .env("GIT_COMMITTER_NAME", "Shop")
        .env("GIT_COMMITTER_EMAIL", "shop@example.com")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{page}: {said}\n{output:?}");
    said
}

#[test]
fn the_commands_of_the_page_about_plans_say_what_it_says() {
    let class = yaml("profiles.md", "PodIdentityClass").replace(
        "    access:\n",
        "    access:\n      - role: Storage Blob Data Reader\n        scopes: [/subscriptions/5ab0c0de-0000-4000-8000-000000000001]\n",
    );
    let profile = yaml("profiles.md", "PodIdentityProfile");
    let tree = Tree::with(&[
        ("classes/standard.yaml", &class),
        ("payments/checkout.yaml", &profile),
    ]);
    let folder = tempfile::TempDir::new().unwrap();
    let said = follow("plan.md", None, folder.path(), tree.folder.path());
    for words in [
        "Profile payments/checkout, class standard, payments/checkout.yaml:4",
        "gains read on all blobs of every storage account in resource group payments (Storage Blob Data Reader)",
        "1 write and 0 deletions (1% of what Azure takes at once)",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn the_commands_that_migrate_values_work() {
    let folder = tempfile::TempDir::new().unwrap();
    let old = "mic:\n  probePort: 8080\n  replicas: 3\n";
    fs::write(folder.path().join("old-values.yaml"), old).unwrap();
    let section = Some("Values of its chart");
    follow("migrate.md", section, folder.path(), folder.path());
}
