//! An overlay that a test makes up, in a folder of its own.

use std::fs;

use podid_tests::manifests::{kustomize, objects};
use podid_tests::programs::repository;
use serde_json::Value;

pub(crate) struct Overlay {
    folder: tempfile::TempDir,
    /// Path of the repository's folder `kustomize` from there: kustomize takes no absolute one.
    kustomize: String,
}

impl Overlay {
    /// A kustomization with these lines, in which `KUSTOMIZE` stands for the repository's folder `kustomize`.
    pub(crate) fn new(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        let up = "../".repeat(here.components().count() - 1);
        let root = repository().canonicalize().unwrap();
        let root = root.strip_prefix("/").unwrap().display().to_string();
        let overlay = Self {
            folder,
            kustomize: format!("{up}{root}/kustomize"),
        };
        overlay.add(
            "kustomization.yaml",
            &format!("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n{lines}\n"),
        );
        overlay
    }

    /// The base, the operator's own identity, and these lines.
    pub(crate) fn of_base(lines: &str) -> Self {
        Self::new(&format!(
            "resources: [KUSTOMIZE/base]\n\
             configMapGenerator:\n\
             - name: podid-operator\n  \
               namespace: podid-system\n  \
               behavior: merge\n  \
               literals: [PODID_TENANT_ID=t, PODID_CLIENT_ID=c]\n\
             {lines}"
        ))
    }

    /// Another file beside the kustomization.
    pub(crate) fn add(&self, name: &str, content: &str) {
        let content = content.replace("KUSTOMIZE", &self.kustomize);
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// What kustomize makes of it.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let folder = self.folder.path().to_str().unwrap();
        objects(&kustomize(folder).unwrap())
    }
}
