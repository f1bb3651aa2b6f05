//! `podid profile edit`, `delete` and `list`.

use git2::Status;
use podid::Exit;
use serde_json::Value;

use crate::create::refused;
use crate::fixture::{Tree, podid};

const PROFILE: &str = "\
# Owned by the shop team
apiVersion: podid.dev/v1alpha1
kind: PodIdentityProfile
metadata: {name: checkout, namespace: payments}
spec:
  className: 'standard' # never another
  access:
    # one vault only
    - scope: /subscriptions/s/vaults/v
      role: Key Vault Secrets User
";
const OTHER: &str = "\
---
# and a second one
apiVersion: podid.dev/v1alpha1
kind: PodIdentityProfile
metadata:
  name: refunds
  namespace: payments
spec: {className: standard, binding: {selector: refund}}
";
const KUSTOMIZATION: &str =
    "resources:\n  - a.yaml # first\n  - checkout.yaml\n  # last\n  - z.yaml\n";

fn one() -> Tree {
    Tree::with(&[
        ("apps/payments/checkout.yaml", PROFILE),
        ("apps/payments/kustomization.yaml", KUSTOMIZATION),
        (
            "templates/broken.yaml",
            "kind: PodIdentityProfile\nx: {{ .Values.x }}\n",
        ),
    ])
}

fn edit(tree: &Tree, flags: &[&str]) -> crate::fixture::Ran {
    let base = ["profile", "edit", "checkout", "-n", "payments"];
    tree.podid(&[&base, flags].concat())
}

#[test]
fn an_edit_changes_what_it_says_and_nothing_else() {
    let tree = one();
    let ran = edit(
        &tree,
        &[
            "--class=gold",
            "--add-access=Reader=/subscriptions/t",
            // The same right in another spelling: nothing to add.
            "--add-access=key vault secrets user=/SUBSCRIPTIONS/S/vaults/v",
            "--selector=on",
            "--add-service-account=web",
            "--tag=team=shop",
            "--net-raw=audit",
            "--deletion-policy=retain",
            "--drift=observe",
            "--interval=5m",
            "--deletion-grace-period=0s",
            "--suspend=true",
        ],
    );
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let (message, files) = tree.last();
    assert_eq!(message, "Update PodIdentityProfile payments/checkout");
    assert_eq!(files, ["apps/payments/checkout.yaml"]);
    assert_eq!(tree.status(), []);
    insta::assert_snapshot!(tree.read("apps/payments/checkout.yaml"));

    // And back again.
    let ran = edit(
        &tree,
        &[
            "--class=standard",
            "--remove-access=Reader=/subscriptions/T",
            "--unset=spec.binding",
            "--unset=spec.identity",
            "--unset=spec.netRaw",
            "--unset=spec.drift",
            "--unset=spec.interval",
            "--unset=spec.deletionGracePeriod",
            "--unset=spec.suspend",
            "--message=Back",
        ],
    );
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert_eq!(tree.read("apps/payments/checkout.yaml"), PROFILE);
    assert_eq!(tree.last().0, "Back");
}

#[test]
fn a_dry_run_shows_the_difference() {
    let tree = one();
    let ran = edit(&tree, &["--interval=5m", "--dry-run"]);
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert!(ran.out.contains("\n+  interval: 5m\n"), "{}", ran.out);
    assert_eq!(tree.status(), []);
    let ran = edit(&tree, &["--interval=5m", "--no-commit", "-o", "json"]);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["files"][0]["action"], "update");
    let written = [(
        "apps/payments/checkout.yaml".to_owned(),
        Status::WT_MODIFIED,
    )];
    assert_eq!(tree.status(), written);
}

#[test]
fn what_cannot_be_edited_says_why() {
    let tree = one();
    let table: &[(&[&str], &[&str])] = &[
        (&[], &["say what to change"]),
        (
            &["--interval=5"],
            &["the profile would be refused", "spec.interval"],
        ),
        (
            &["--unset=spec.className"],
            &["spec.className: is required"],
        ),
        (
            &["--unset=spec.nothing"],
            &["checkout.yaml:4 is left as it is", "it has no spec.nothing"],
        ),
        (
            &["--remove-access=Owner=/subscriptions/s"],
            &["it has no spec.access"],
        ),
        (
            &["--class=x", "--path=no/such.yaml"],
            &["no/such.yaml cannot be read"],
        ),
        (
            &["--class=x", "--path=templates/broken.yaml"],
            &["templates/broken.yaml:2 is not YAML"],
        ),
        (
            &["--class=x", "-n", "shop"],
            &["cannot be used multiple times"],
        ),
    ];
    for (flags, words) in table {
        refused(&tree, &edit(&tree, flags), words);
    }
    let other = tree.podid(&["profile", "edit", "nobody", "--class=x"]);
    let words = [
        "no file of the working tree holds profile default/nobody",
        "templates/broken.yaml:2 is not YAML",
    ];
    refused(&tree, &other, &words);
}

#[test]
fn a_file_with_half_a_thought_in_it_is_not_committed() {
    let tree = one();
    tree.put("apps/payments/checkout.yaml", &format!("{PROFILE}# half\n"));
    let ran = edit(&tree, &["--class=gold"]);
    assert_eq!(ran.exit, Exit::Failed);
    assert!(
        ran.err.contains("has changes that are not committed"),
        "{}",
        ran.err
    );
    let ran = tree.podid(&["profile", "delete", "checkout", "-n", "payments"]);
    assert!(
        ran.err.contains("has changes that are not committed"),
        "{}",
        ran.err
    );
}

#[test]
fn one_of_several_is_named_by_its_file() {
    let tree = Tree::with(&[("a.yaml", PROFILE), ("b.yaml", PROFILE)]);
    let words = ["profile payments/checkout is in a.yaml:4 and b.yaml:4"];
    refused(&tree, &edit(&tree, &["--class=gold"]), &words);
    let ran = edit(&tree, &["--class=gold", "--path=b.yaml"]);
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert_eq!(tree.last().1, ["b.yaml"]);
}

#[test]
fn a_deleted_profile_takes_its_file_and_its_entry_along() {
    let tree = one();
    let delete = ["profile", "delete", "checkout", "-n", "payments"];
    let dry = tree.podid(&[&delete[..], &["--dry-run"]].concat());
    assert!(
        dry.out.contains("delete  apps/payments/checkout.yaml"),
        "{}",
        dry.out
    );
    assert_eq!(tree.status(), []);
    let ran = tree.podid(&delete);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert!(
        ran.out.contains("podid will delete the identity"),
        "{}",
        ran.out
    );
    assert!(!tree.path("apps/payments/checkout.yaml").exists());
    let kustomization = KUSTOMIZATION.replace("  - checkout.yaml\n", "");
    assert_eq!(tree.read("apps/payments/kustomization.yaml"), kustomization);
    let (message, files) = tree.last();
    assert_eq!(message, "Delete PodIdentityProfile payments/checkout");
    assert_eq!(files.len(), 2, "{files:?}");
    assert_eq!(tree.status(), []);
}

#[test]
fn of_several_documents_only_its_own_goes() {
    let both = format!("{PROFILE}{OTHER}");
    for (name, left) in [("checkout", OTHER), ("refunds", PROFILE)] {
        let tree = Tree::with(&[("payments.yaml", &both)]);
        let ran = tree.podid(&["profile", "delete", name, "-n", "payments"]);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
        assert_eq!(tree.read("payments.yaml"), left);
    }
    let tree = Tree::with(&[("payments.yaml", &both)]);
    let base = ["profile", "edit", "refunds", "-n", "payments"];
    let ran = tree.podid(&[&base[..], &["--selector=x", "--interval=2m"]].concat());
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let wanted = both.replace("{selector: refund}}", "{selector: x}, interval: 2m}");
    assert_eq!(tree.read("payments.yaml"), wanted);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_stay() {
    let text = format!("\u{feff}{}", PROFILE.replace('\n', "\r\n"));
    let tree = Tree::with(&[("a.yaml", &text)]);
    let ran = edit(&tree, &["--interval=5m"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert_eq!(tree.read("a.yaml"), format!("{text}  interval: 5m\r\n"));
}

#[test]
fn a_list_names_file_and_line() {
    let tree = one();
    tree.put("apps/both.yaml", &format!("{PROFILE}{OTHER}"));
    let folder = tree.path("apps");
    let ran = podid(&["profile", "list", folder.to_str().unwrap()]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    insta::assert_snapshot!(ran.out);
    let root = tree.folder.path().to_str().unwrap();
    let ran = podid(&["profile", "list", root, "-n", "payments", "-o", "json"]);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["profiles"][1]["place"], "apps/both.yaml:16");
    assert_eq!(json["profiles"][1]["selector"], "refund");
    assert!(
        json["notes"][0]
            .as_str()
            .unwrap()
            .starts_with("templates/broken.yaml:2 is not YAML")
    );
    let none = podid(&["profile", "list", root, "-n", "shop"]);
    assert!(none.out.starts_with("no profile\n"), "{}", none.out);
}
