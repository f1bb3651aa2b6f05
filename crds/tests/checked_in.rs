//! The YAML under `crds/manifests/` is what the types say.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_checked_in_manifests_are_current() {
    // Cargo runs a test in its package's folder.
    let folder = Path::new("manifests");
    let manifests = podid_crds::manifests::manifests().unwrap();
    for manifest in &manifests {
        let on_disk = std::fs::read_to_string(folder.join(&manifest.file)).unwrap_or_default();
        let current = on_disk == manifest.content;
        assert!(
            current,
            "{} is not current; run `cargo xtask gen`",
            manifest.file
        );
    }
    let listed: BTreeSet<_> = manifests
        .into_iter()
        .map(|manifest| manifest.file.into())
        .collect();
    let found: BTreeSet<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(found, listed, "files that no kind generates");
}

#[test]
fn flux_never_substitutes_in_them_and_fresh_objects_are_in_progress() {
    for manifest in podid_crds::manifests::manifests().unwrap() {
        if manifest.file == "kustomization.yaml" {
            continue;
        }
        let crd: serde_json::Value = serde_saphyr::from_str(&manifest.content).unwrap();
        let annotation = &crd["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/substitute"];
        assert_eq!(annotation, "disabled", "{}", manifest.file);
        let version = &crd["spec"]["versions"][0];
        let status = &version["schema"]["openAPIV3Schema"]["properties"]["status"];
        if crd["spec"]["group"] == "podid.dev" {
            assert_eq!(
                status["default"]["observedGeneration"], -1,
                "{}",
                manifest.file
            );
        } else {
            assert!(version.get("subresources").is_none(), "{}", manifest.file);
        }
    }
}
