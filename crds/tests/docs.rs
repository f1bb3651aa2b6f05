//! Every object of ours that a page shows is one that the API server would take.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Fenced `yaml` blocks of a page, each split into its documents.
fn documents(page: &str) -> Vec<String> {
    let blocks = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    blocks
        .flat_map(|block| block.split("\n---\n"))
        .map(str::to_owned)
        .collect()
}

fn pages() -> Vec<PathBuf> {
    // Cargo runs a test in its package's folder.
    let root = Path::new("..");
    let docs = std::fs::read_dir(root.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    std::iter::once(root.join("README.md"))
        .chain(pages)
        .collect()
}

#[test]
fn objects_in_the_documentation_are_valid() {
    let mut checked = 0;
    for page in pages() {
        for document in documents(&std::fs::read_to_string(&page).unwrap()) {
            let object: Value = serde_saphyr::from_str(&document)
                .unwrap_or_else(|error| panic!("{}: {error}\n{document}", page.display()));
            let group = object["apiVersion"].as_str().unwrap_or_default();
            if !group.starts_with("podid.dev/") && !group.starts_with("aadpodidentity.k8s.io/") {
                continue;
            }
            let findings = podid_crds::check::object(&object).unwrap();
            assert!(
                findings.is_empty(),
                "{}: {findings:?}\n{document}",
                page.display()
            );
            checked += 1;
        }
    }
    assert!(
        checked >= 6,
        "only {checked} objects of ours were found in the documentation"
    );
}

#[test]
fn every_place_in_azure_that_a_class_names_is_in_the_list_of_rights() {
    let page = pages()
        .into_iter()
        .find(|page| page.ends_with("docs/architecture.md"))
        .unwrap();
    let text = std::fs::read_to_string(page).unwrap();
    let rights = text.split("## Privileges").nth(1).unwrap();
    let rows: Vec<&str> = rights
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    let table = [
        ("`resourceGroup`", "Managed Identity Contributor"),
        ("`limits.identityGroups`", "Managed Identity Operator"),
        ("`nodeResourceGroup`", "Virtual Machine Contributor"),
        ("`limits.access`", "Role Based Access Control Administrator"),
        ("`nodeGrants`", "Role Based Access Control Administrator"),
    ];
    for (place, role) in table {
        let listed = |row: &&str| row.contains(place) && row.contains(role);
        assert!(rows.iter().any(listed), "{role} on {place}");
    }
}
