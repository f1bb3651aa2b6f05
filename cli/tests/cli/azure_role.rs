//! `podid azure-role`.

use podid::Exit;
use serde_json::Value;

use crate::fixture::{Tree, podid};

const CLASS: &str = "\
apiVersion: podid.dev/v1alpha1
kind: PodIdentityClass
metadata: {name: standard}
spec:
  clusterName: prod
  tenantId: 00000000-0000-4000-8000-000000000001
  subscriptionId: 00000000-0000-4000-8000-000000000002
  resourceGroup: identities
  location: westeurope
  nodeResourceGroup: nodes
  limits:
    namespaces: {names: [\"*\"]}
    access:
      - role: ROLE
        scopes: [\"/subscriptions/00000000-0000-4000-8000-000000000002/resourceGroups/it's\"]
";

fn tree(role: &str) -> Tree {
    Tree::with(&[("class.yaml", &CLASS.replace("ROLE", role))])
}

#[test]
fn the_rights_for_a_class_are_told_to_programs_and_as_a_script() {
    let tree = tree("Reader");
    let file = tree.path("class.yaml").display().to_string();
    let ran = podid(&["azure-role", &file, "-o", "json"]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.err);
    let access: Value = serde_json::from_str(&ran.out).unwrap();
    let assignments = access["assignments"].as_array().unwrap();
    let grants: Vec<&Value> = assignments
        .iter()
        .filter(|one| one["role"] == "podid grants")
        .collect();
    assert_eq!(grants.len(), 1, "{access}");
    let condition = grants[0]["condition"].as_str().unwrap();
    assert!(
        condition.contains("{acdd72a7-3385-48ef-bd42-f606fba81ae7}"),
        "{condition}"
    );
    assert!(
        assignments
            .iter()
            .all(|one| one["role"] == "podid grants" || one["condition"].is_null())
    );
    let scopes = &access["definitions"][0]["AssignableScopes"];
    assert_eq!(
        scopes[0],
        "/subscriptions/00000000-0000-4000-8000-000000000002"
    );

    let script = podid(&["azure-role", &file]).out;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script"), script).unwrap();
    let shell = "az() { printf '%s|' \"$@\"; echo; }; OPERATOR=o; . ./script";
    let typed = std::process::Command::new("sh")
        .args(["-euc", shell])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(typed.status.success(), "{typed:?}");
    let typed = String::from_utf8(typed.stdout).unwrap();
    assert!(typed.contains("|--assignee-object-id|o|"), "{typed}");
    assert!(
        typed.contains("/resourceGroups/it's|--condition-version|2.0|--condition|("),
        "{typed}"
    );
}

#[test]
fn what_cannot_be_told_is_said_with_the_field() {
    for (role, words) in [
        (
            "Payments Auditor",
            "limits.access[0].role of class standard",
        ),
        ("\"\"", "spec.limits.access[0].role"),
    ] {
        let tree = tree(role);
        let file = tree.path("class.yaml").display().to_string();
        let ran = podid(&["azure-role", &file]);
        assert_eq!(ran.exit, Exit::Failed, "{role}");
        assert!(ran.err.contains(words), "{role}: {}", ran.err);
        assert_eq!(ran.out, "");
    }
}
