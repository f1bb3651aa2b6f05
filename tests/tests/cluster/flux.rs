//! `flux/` and what `podid bootstrap git` writes, judged by a real API server with Flux's own kinds, and applied by
//! the real kustomize-controller.

mod layers;
mod tenants;
mod two_clusters;

use std::fs;
use std::path::{Path, PathBuf};

use podid_lab::{Flux, Lab, UpOptions};
use podid_tests::fleet::{bootstrapped, checked_out};
use podid_tests::kubectl::Kubectl;
use podid_tests::programs;
use serde_json::json;

use crate::fixture::options;

fn lab(purpose: &str, flux: Flux) -> Lab {
    let options = UpOptions {
        flux,
        ..options(purpose)
    };
    let lab = Lab::up(options).expect("a lab");
    let base = programs::repository().join("kustomize/cluster");
    podid_lab::install::manifests(&lab, &base).expect("podid's manifests");
    lab
}

/// What kubectl can be given at once: a folder with a kustomization (`-k`), or a file (`-f`).
fn appliable(folder: &Path, found: &mut Vec<(&'static str, PathBuf)>) {
    if folder.join("kustomization.yaml").is_file() {
        found.push(("-k", folder.to_owned()));
    }
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            appliable(&path, found);
        } else if path.extension().is_some_and(|end| end == "yaml")
            && !folder.join("kustomization.yaml").is_file()
        {
            found.push(("-f", path));
        }
    }
}

/// Everything below `folder` is accepted by a server-side dry run that refuses unknown and doubled fields.
fn assert_accepted(kubectl: &Kubectl<'_>, folder: &Path) -> usize {
    let mut found = Vec::new();
    appliable(folder, &mut found);
    for (flag, path) in &found {
        let path = path.to_str().unwrap();
        let arguments = [
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
        ];
        let output = kubectl.output(&[&arguments[..], &[flag, path]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        // An empty layer has nothing to apply.
        let is_empty = said.contains("no objects passed to apply");
        assert!(output.status.success() || is_empty, "{path}: {said}");
    }
    found.len()
}

fn namespaces(kubectl: &Kubectl<'_>, names: &[&str]) {
    for name in names {
        let metadata = json!({"name": name});
        kubectl.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
    }
}

#[test]
fn every_object_of_flux_and_of_the_bootstrap_is_accepted() {
    let lab = lab("flux-kinds", Flux::Kustomize);
    let kubectl = Kubectl::of(&lab);
    namespaces(&kubectl, &["flux-system", "podid-system", "payments"]);
    let files = assert_accepted(&kubectl, &programs::repository().join("flux"));
    assert!(files >= 10, "only {files} were found");
    for chart in [
        "oci://registry.example.com/podid",
        "https://git.example.com/podid",
    ] {
        let bare = bootstrapped(&["--chart", chart, "--chart-secret", "login"]);
        assert_eq!(
            assert_accepted(&kubectl, checked_out(bare.path()).path()),
            4
        );
    }
}
