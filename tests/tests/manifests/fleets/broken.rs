//! What kustomize cannot render.

use podid::Exit;

use super::{CLASS, Fleet, PROFILE, plan};

const KUSTOMIZATION: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [profile.yaml]
patches:
  - path: patch.yaml
    target: {kind: PodIdentityProfile}
";
const PATCH: &str = "- {op: replace, path: /spec/className, value: standard}\n";

/// What is said of a fleet whose folder has this profile and this patch.
fn said(profile: &str, patch: &str) -> String {
    let fleet = Fleet::new(&[
        ("class.yaml", CLASS),
        ("apps/kustomization.yaml", KUSTOMIZATION),
        ("apps/profile.yaml", profile),
        ("apps/patch.yaml", patch),
    ]);
    let folder = fleet.path("apps").display().to_string();
    let class = fleet.path("class.yaml").display().to_string();
    let (exit, out, err) = plan(&[&folder, "--class-file", &class]);
    assert_eq!((exit, out.as_str()), (Exit::Failed, ""), "{err}");
    for path in [std::env::temp_dir(), fleet.path("")] {
        let path = path.display().to_string();
        assert!(!err.contains(&path), "{path} is in: {err}");
    }
    err
}

#[test]
fn a_file_that_is_no_yaml_is_named_with_its_line() {
    let tab = PROFILE.replace("  name: podinfo", "\tname: podinfo");
    let twice = PROFILE.replace("  name: podinfo", "  name: podinfo\n  name: podinfo");
    for (profile, patch, words) in [
        (tab.as_str(), PATCH, "apps/profile.yaml:4 is not YAML"),
        (twice.as_str(), PATCH, "apps/profile.yaml:5 is not YAML"),
        (PROFILE, "- {op: replace\n", "apps/patch.yaml:"),
    ] {
        let err = said(profile, patch);
        assert!(err.contains(words), "{words} is not in: {err}");
    }
}

#[test]
fn what_else_kustomize_says_is_passed_on_with_the_paths_of_the_tree() {
    let err = said(PROFILE, &PATCH.replace("className", "no/such/field"));
    assert!(err.contains("cannot render apps"), "{err}");
    assert!(
        err.contains("no/such/field") || err.contains("missing path"),
        "{err}"
    );
}
