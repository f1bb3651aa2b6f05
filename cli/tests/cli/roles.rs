//! What `create` says of the names of roles.

use podid::Exit;

use crate::create::{GUID, refused};
use crate::fixture::{Ran, Tree};

/// `podid class create` of a small class with further flags.
fn class(tree: &Tree, flags: &[&str]) -> Ran {
    let base = [
        "class",
        "create",
        "standard",
        "--cluster=prod-1",
        "--tenant",
        GUID,
        "--subscription",
        GUID,
        "--resource-group=identities",
        "--location=westeurope",
        "--node-resource-group=MC_prod",
    ];
    tree.podid(&[&base, flags].concat())
}

#[test]
fn a_role_that_is_a_slip_of_the_hand_is_refused_with_the_one_meant() {
    let tree = Tree::with(&[("README", "x")]);
    let access = "Key Vault Secret User=/subscriptions/s";
    let ran = tree.profile(&["--access", access]);
    let words = [
        "--access",
        "did you mean \"Key Vault Secrets User\"?",
        "GUID",
    ];
    refused(&tree, &ran, &words);
    let class = class(&tree, &["--allow-access", "Contributer=/subscriptions/s"]);
    refused(
        &tree,
        &class,
        &["--allow-access", "did you mean \"Contributor\"?"],
    );
    // Whoever has a role of that name says so by its id.
    let id = format!("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{GUID}");
    for role in [GUID, &id] {
        let ran = tree.profile(&["--force", "--access", &format!("{role}=/subscriptions/s")]);
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        assert!(!ran.out.contains("note"), "{}", ran.out);
    }
}

#[test]
fn a_role_that_only_azure_can_know_is_taken_with_a_note() {
    let tree = Tree::with(&[("README", "x")]);
    let note = "podid does not know the role \"Payments Auditor\"";
    let ran = tree.profile(&["--access", "Payments Auditor=/subscriptions/s"]);
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert!(ran.out.contains(note), "{}", ran.out);
    let text = tree.read("payments/checkout.yaml");
    assert!(text.contains("role: Payments Auditor"), "{text}");
    let ran = class(
        &tree,
        &["--allow-access", "Payments Auditor=/subscriptions/s"],
    );
    assert!(ran.exit == Exit::Done && ran.out.contains(note), "{ran:?}");
    let ran = tree.profile(&["--force", "--access", "acrpull=/subscriptions/s"]);
    assert!(
        ran.exit == Exit::Done && !ran.out.contains("note"),
        "{ran:?}"
    );
}
