//! `podid plan FOLDER`: what Flux would take of it. Kustomizations, for which a program is needed, are in the
//! ring `cluster`.

use std::fs;
use std::os::unix::fs::symlink;

use podid::Exit;
use tempfile::TempDir;

use crate::fixture::{Ran, podid};
use crate::plan::{CLASS, PROFILE};

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

pub(crate) fn plan_in(folder: &TempDir, path: &str, flags: &[&str]) -> Ran {
    let (root, path) = (folder.path(), folder.path().join(path));
    let base = [
        "plan",
        path.to_str().unwrap(),
        "--root",
        root.to_str().unwrap(),
    ];
    podid(&[&base, flags].concat())
}

fn plan(files: &[(&str, &str)], flags: &[&str]) -> Ran {
    plan_in(&folder(files), "", flags)
}

const FLUX: &str = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  path: ./apps
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild:
    substitute: {group: vaults}
    substituteFrom:
      - {kind: ConfigMap, name: facts}
      - {kind: Secret, name: other, optional: true}
";
const FACTS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: facts, namespace: flux-system}
data: {vault: v, group: overridden}
";

fn with_variables() -> String {
    PROFILE
        .replace("resourceGroups/vaults/", "resourceGroups/${group}/")
        .replace("vaults/v\n", "vaults/${vault}\n")
}

#[test]
fn every_file_of_a_folder_is_taken_and_what_is_no_object_left() {
    let namespace =
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {podid: allowed}}\n";
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  template:\n    metadata: {labels: {aadpodidbinding: checkout}}\n";
    let profile = PROFILE.replace("namespace: payments", "namespace: shop");
    let ran = plan(
        &[
            ("a/class.yaml", CLASS),
            ("b/c/profile.yml", &profile),
            ("b/namespace.yaml", namespace),
            ("b/web.yaml", deployment),
            ("values.yaml", "replicas: 2\n"),
            (".github/workflow.yaml", "on: [push\n"),
            ("notes.txt", "\t"),
        ],
        &[],
    );
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Changes, ""));
    for words in [
        "Profile shop/checkout, class standard, b/c/profile.yml:3",
        "shop/checkout gains read on all secrets of vault v (Key Vault Secrets User)",
        "pods of namespace shop with aadpodidbinding=checkout: those of Deployment web use its identity",
        "Azure subscription s: 2 writes and 0 deletions (1% of what Azure takes at once)",
    ] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    assert!(!ran.out.contains("is not planned"), "{}", ran.out);
}

#[test]
fn a_flux_kustomization_is_followed_and_its_variables_filled_in() {
    let (profile, suspended) = (
        with_variables(),
        FLUX.replace("postBuild", "suspend: true\n  postBuild"),
    );
    let elsewhere = FLUX
        .replace("name: apps", "name: other")
        .replace("./apps", "./not/here");
    let tree = folder(&[
        ("clusters/prod/class.yaml", CLASS),
        ("clusters/prod/flux.yaml", FLUX),
        ("clusters/prod/elsewhere.yaml", &elsewhere),
        ("clusters/prod/facts.yaml", FACTS),
        ("apps/checkout.yaml", &profile),
    ]);
    let ran = plan_in(&tree, "clusters/prod", &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Changes, ""));
    for words in [
        "payments/checkout, class standard, apps/checkout.yaml:3",
        "gains read on all secrets of vault v ",
        "what Kustomization flux-system/other applies is not planned: its path ./not/here of GitRepository flux-system is not in this tree",
    ] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    fs::write(tree.path().join("clusters/prod/flux.yaml"), suspended).unwrap();
    let ran = plan_in(&tree, "clusters/prod", &[]);
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert!(
        ran.out
            .contains("apps applies is not planned: it is suspended"),
        "{}",
        ran.out
    );
}

#[test]
fn a_variable_that_nothing_defines_is_named_with_its_line() {
    let profile = with_variables();
    let tree = folder(&[
        ("clusters/prod/class.yaml", CLASS),
        ("clusters/prod/flux.yaml", FLUX),
        ("apps/checkout.yaml", &profile),
    ]);
    let ran = plan_in(&tree, "clusters/prod", &[]);
    assert_eq!((ran.exit, ran.out.as_str()), (Exit::Failed, ""));
    let words = "apps/checkout.yaml:8: PodIdentityProfile payments/checkout: variable vault is not defined by \
                 Kustomization flux-system/apps, whose ConfigMap facts is not in the tree";
    assert!(ran.err.contains(words), "{}", ran.err);
    let ran = plan_in(&tree, "clusters/prod", &["--substitute", "vault=w"]);
    assert_eq!(ran.exit, Exit::Changes, "{ran:?}");
    assert!(ran.out.contains("secrets of vault w "), "{}", ran.out);
}

#[test]
fn each_cluster_of_a_repository_is_planned_by_itself() {
    let west = CLASS.replace("westeurope", "northeurope");
    let files = [
        ("clusters/east/class.yaml", CLASS),
        ("clusters/east/profile.yaml", PROFILE),
        ("clusters/west/class.yaml", &west),
        ("clusters/west/profile.yaml", PROFILE),
    ];
    let ran = plan(&files, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Changes, ""));
    for words in [
        "payments/checkout of clusters/east",
        "payments/checkout of clusters/west",
        "northeurope",
    ] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    // Both at once are two classes of one name.
    let ran = plan_in(&folder(&files), "clusters", &[]);
    let words = "PodIdentityClass standard is declared twice, and differently: clusters/east/class.yaml:1 and clusters/west/class.yaml:1";
    assert!(
        ran.exit == Exit::Failed && ran.err.contains(words),
        "{ran:?}"
    );
}

#[test]
fn what_leads_out_of_the_tree_is_refused() {
    let kustomization =
        |entry: &str| format!("# ours\nresources:\n  - profile.yaml\n  - {entry}\n");
    for (entry, words) in [
        (
            "../../../../../etc",
            "apps/kustomization.yaml:4: ../../../../../etc leads out of the tree",
        ),
        (
            "https://example.com/x.yaml",
            "kustomization.yaml:4: https://example.com/x.yaml is on another host",
        ),
        (
            "github.com/o/r//p?ref=v1",
            "github.com/o/r//p?ref=v1 is on another host",
        ),
        (
            "gone.yaml",
            "kustomization.yaml:4: gone.yaml does not exist",
        ),
    ] {
        let text = kustomization(entry);
        let ran = plan(
            &[
                ("apps/kustomization.yaml", &text),
                ("apps/profile.yaml", PROFILE),
            ],
            &[],
        );
        assert!(
            ran.exit == Exit::Failed && ran.err.contains(words),
            "{entry}: {ran:?}"
        );
    }
    let tree = folder(&[("class.yaml", CLASS)]);
    symlink("/etc/hostname", tree.path().join("x.yaml")).unwrap();
    let ran = plan_in(&tree, "", &[]);
    assert!(
        ran.exit == Exit::Failed && ran.err.contains("x.yaml leads out of the tree"),
        "{ran:?}"
    );
    // A link to a folder above does not go round for ever.
    fs::remove_file(tree.path().join("x.yaml")).unwrap();
    symlink(".", tree.path().join("round")).unwrap();
    assert_eq!(plan_in(&tree, "", &[]).exit, Exit::Done);
}

#[test]
fn without_a_program_a_kustomization_is_not_rendered() {
    let ran = plan(
        &[
            ("kustomization.yaml", "resources: [profile.yaml]\n"),
            ("profile.yaml", PROFILE),
        ],
        &["--kustomize", "/no/such/kustomize"],
    );
    assert!(
        ran.exit == Exit::Failed && ran.err.contains("/no/such/kustomize cannot be started"),
        "{ran:?}"
    );
}

#[test]
fn kustomize_gets_nothing_of_the_environment() {
    let program = tempfile::tempdir().unwrap();
    let script = program.path().join("kustomize");
    fs::write(&script, "#!/bin/sh\nenv >&2\nexit 1\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, executable).unwrap();
    let ran = plan(
        &[
            ("kustomization.yaml", "resources: [profile.yaml]\n"),
            ("profile.yaml", PROFILE),
        ],
        &["--kustomize", script.to_str().unwrap()],
    );
    let variables = ran.err.lines().filter_map(|line| line.split_once('='));
    // Cargo has set its own for this test, and a shell sets the last three.
    let known = "PATH HOME HTTP_PROXY HTTPS_PROXY GIT_ALLOW_PROTOCOL PWD SHLVL _";
    let mut count = 0;
    for (name, _) in variables {
        let name = name.rsplit(' ').next().unwrap_or_default();
        assert!(
            known.split(' ').any(|known| known == name),
            "{name}: {}",
            ran.err
        );
        count += 1;
    }
    assert!(count >= 5, "{}", ran.err);
}

#[test]
fn what_the_api_server_would_refuse_is_named_in_every_file_at_once() {
    let one = PROFILE.replace("className:", "clasName:");
    let other = PROFILE
        .replace("name: checkout", "name: refunds")
        .replace("standard", "standard\n  netRaw: off");
    let files = [
        ("a.yaml", one.as_str()),
        ("b.yaml", &other),
        ("c.yaml", CLASS),
    ];
    let ran = plan(&files, &[]);
    assert_eq!(ran.exit, Exit::Failed);
    for words in [
        "a.yaml: PodIdentityProfile payments/checkout would be refused",
        "did you mean className? (line 5)",
        "b.yaml: PodIdentityProfile payments/refunds would be refused",
        "off, no or false so) (line 6)",
    ] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    let ran = plan(&files, &["-o", "sarif"]);
    assert_eq!(ran.exit, Exit::Failed);
    assert!(ran.err.contains("did you mean className?"), "{}", ran.err);
    let sarif: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(
        results
            .iter()
            .all(|result| result["ruleId"] == "InvalidObject"),
        "{results:?}"
    );
    assert!(results.len() >= 2, "{results:?}");
}
