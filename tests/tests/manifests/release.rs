//! The chart with values of a test.

use std::fs;

use podid_tests::manifests::{chart, objects, run_helm};
use serde_json::Value;

/// The operator's own identity, which has no default.
pub(crate) const FACTS: &str = "operator: {settings: {tenantId: t, clientId: c}}\n";

pub(crate) struct Release {
    folder: tempfile::TempDir,
}

impl Release {
    /// With these values beside the operator's own identity.
    pub(crate) fn with(values: &str) -> Self {
        let release = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::write(release.path("facts.yaml"), FACTS).unwrap();
        fs::write(release.path("values.yaml"), values).unwrap();
        release
    }

    /// What `helm template` writes, or complains of.
    pub(crate) fn render(&self, arguments: &[&str]) -> Result<String, String> {
        let (facts, values) = (self.path("facts.yaml"), self.path("values.yaml"));
        let chart = chart().display().to_string();
        let template = ["template", "podid", &chart, "--namespace=podid-system"];
        let files = ["--values", &facts, "--values", &values];
        run_helm(&[&template[..], &files, arguments].concat())
    }

    /// The objects, with the kinds of the folder `crds`.
    pub(crate) fn objects(&self) -> Vec<Value> {
        objects(&self.render(&["--include-crds"]).unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}
