//! Somebody who types the page.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use podid_lab::layout::{LOCATION, RESOURCE_GROUP};
use podid_tests::pages::page;
use podid_tests::programs::{self, repository};
use serde_json::Value;
use tempfile::TempDir;

use super::az::{self, Call};

/// The resource group of the stores.
pub(super) const STORES: &str = "stores";

/// The names that the page has the reader choose, and those of the lab.
const NAMES: [(&str, &str); 3] = [
    ("IDENTITIES", RESOURCE_GROUP),
    ("LOCATION", LOCATION),
    ("STORES", STORES),
];

/// A folder with a clone's documents in it, and a shell.
pub(super) struct Reader {
    folder: TempDir,
    page: String,
}

impl Reader {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let examples = folder.path().join("docs/examples");
        fs::create_dir_all(&examples).unwrap();
        let from = repository().join("docs/examples/aks");
        let copied = Command::new("cp")
            .arg("-r")
            .arg(from)
            .arg(&examples)
            .status();
        assert!(copied.unwrap().success());
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).unwrap();
        az::install(&programs);
        Self {
            folder,
            page: page("docs/aks.md"),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Types all that comes before the class; the calls of `az`.
    pub(super) fn prepares_azure(&self) -> Vec<Call> {
        self.types(&self.script(&["1.", "2.", "3.", "4.", "5."]));
        self.calls()
    }

    /// The role definitions that these calls have made.
    pub(super) fn roles(&self, calls: &[Call]) -> Vec<Value> {
        let made = calls
            .iter()
            .filter(|call| call.is("role definition create"));
        let text = |call: &Call| call.file("--role-definition", self.path());
        let role = |text: String| serde_json::from_str(&text).unwrap();
        made.map(|call| role(text(call).expect("a file"))).collect()
    }

    /// Types what removes all; its calls of `az`, without those before.
    pub(super) fn removes_all(&self) -> Vec<Call> {
        let before = self.calls().len();
        self.types(&self.script(&["1.", "2.", "8."]));
        self.calls().split_off(before)
    }

    /// Writes the class and the profile of the page; the class.
    pub(super) fn writes_class_and_profile(&self) -> Value {
        let commands = self.script(&["1.", "2.", "7."]);
        let (commands, _) = commands.split_once("kubectl wait").unwrap();
        let fleet = "mkdir -p fleet && git init --quiet -b main fleet\n\
                     git -C fleet config user.name Shop\n\
                     git -C fleet config user.email shop@example.com\n";
        self.types(&format!("{fleet}{commands}"));
        let class = fs::read_to_string(self.path().join("fleet/classes/standard.yaml")).unwrap();
        serde_saphyr::from_str(&class).unwrap()
    }

    /// What the command line says about the rights that the class takes.
    pub(super) fn asks_for_rights(&self) -> Value {
        self.types("podid azure-role fleet/classes/standard.yaml -o json > rights.json");
        let rights = fs::read_to_string(self.path().join("rights.json")).unwrap();
        serde_json::from_str(&rights).unwrap()
    }

    /// What the page has one type to see whether class and profile work.
    pub(super) fn looks(&self) -> String {
        let commands = self.script(&["7."]);
        let (_, looks) = commands.split_once("kubectl wait").unwrap();
        format!("kubectl wait{looks}")
    }

    fn calls(&self) -> Vec<Call> {
        az::calls(&self.path().join("programs"))
    }

    /// The commands of some sections, by the beginnings of their headings.
    fn script(&self, sections: &[&str]) -> String {
        let mut script = String::new();
        for section in self.page.split("\n## ").skip(1) {
            if !sections.iter().any(|start| section.starts_with(start)) {
                continue;
            }
            for rest in section.split("\n```").skip(1).step_by(2) {
                let (language, block) = rest.split_once('\n').unwrap();
                assert!(["sh", "azurecli"].contains(&language), "{rest}");
                let names = NAMES
                    .iter()
                    .filter(|(name, _)| block.contains(&format!("export {name}=")));
                writeln!(script, "{block}").unwrap();
                for (name, value) in names {
                    writeln!(script, "export {name}='{value}'").unwrap();
                }
            }
        }
        script
    }

    /// Has bash run commands, with podid's command line and the program in place of `az`.
    fn types(&self, commands: &str) {
        let system = std::env::var("PATH").unwrap();
        let own = self.path().join("programs");
        let path = format!(
            "{}:{}:{system}",
            own.display(),
            programs::folder().display()
        );
        let output = Command::new("bash")
            .args(["-c", &format!("set -euo pipefail\n{commands}")])
            .current_dir(self.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{commands}: {output:?}");
    }
}
