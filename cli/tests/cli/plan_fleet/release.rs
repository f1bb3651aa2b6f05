//! Releases of podid's own chart, whose values may hold classes and profiles.

use podid::Exit;

use super::{failed, planned};
use crate::fixture::podid;
use crate::plan::{CLASS, PROFILE};
use crate::plan_tree::{folder, plan_in};

const RELEASE: &str = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: podid, namespace: podid-system}
spec:
  chartRef: {kind: OCIRepository, name: podid}
  values:
    operator: {replicas: 2}
    classes:
      - name: standard
        spec: CLASS
    profiles:
      - name: checkout
        namespace: payments
        labels: {team: shop}
        spec:
          className: standard
          access:
            - role: Key Vault Secrets User
              scope: SCOPE
    extraObjects:
      - apiVersion: podid.dev/v1alpha1
        kind: PodIdentityProfile
        metadata: {name: reports, namespace: payments}
        spec: {className: standard}
      - |
        apiVersion: podid.dev/v1alpha1
        kind: PodIdentityProfile
        metadata: {name: refunds}
        spec: {className: standard}
      - |
        kind: {{ .Values.kind }}
";
const SOURCE: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: podid, namespace: podid-system}
spec: {url: 'oci://registry.example.com/platform/podid'}
";

/// The release with the class, and a profile with a right at this scope.
fn release(scope: &str) -> String {
    let class: serde_json::Value = serde_saphyr::from_str(CLASS).unwrap();
    let mut spec = class["spec"].clone();
    let names = serde_json::json!(["payments", "podid-system"]);
    spec["limits"]["namespaces"]["names"] = names;
    RELEASE
        .replace("CLASS", &spec.to_string())
        .replace("SCOPE", scope)
}

const VAULT: &str = "/subscriptions/s/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/v";

#[test]
fn classes_profiles_and_other_objects_of_its_values_are_planned() {
    let release = release(VAULT);
    let files = [
        ("podid/release.yaml", release.as_str()),
        ("podid/source.yaml", SOURCE),
    ];
    let ran = plan_in(&folder(&files), "", &[]);
    planned(
        &ran,
        &[
            "Profile payments/checkout, class standard, podid/release.yaml:12",
            "payments/checkout gains read on all secrets of vault v",
            "Profile payments/reports, class standard, podid/release.yaml:",
            "Profile podid-system/refunds, class standard, podid/release.yaml:",
            "spec.values.extraObjects[2] of HelmRelease podid-system/podid is not planned: only Helm can read it",
        ],
        &["note HelmRelease"],
    );
    // The same in one file.
    let tree = folder(&[("all.yaml", &format!("{SOURCE}---\n{release}"))]);
    let ran = podid(&["plan", tree.path().join("all.yaml").to_str().unwrap()]);
    planned(&ran, &["Profile payments/checkout, class standard"], &[]);
}

#[test]
fn what_its_class_does_not_allow_is_named_with_the_line_of_the_value() {
    let release = release("/subscriptions/other");
    let files = [("release.yaml", release.as_str()), ("source.yaml", SOURCE)];
    let ran = plan_in(&folder(&files), "", &[]);
    assert_eq!(ran.exit, Exit::Violations, "{ran:?}");
    let line = release
        .lines()
        .position(|it| it.contains("scope: /subscriptions/other"));
    let words = format!("(release.yaml:{})", line.unwrap() + 1);
    assert!(ran.out.contains(&words), "{words}: {}", ran.out);
    let wrong = release.replace(
        "className: standard\n          access",
        "clasName: standard\n          access",
    );
    let files = [("release.yaml", wrong.as_str()), ("source.yaml", SOURCE)];
    let ran = plan_in(&folder(&files), "", &[]);
    failed(
        &ran,
        "release.yaml: PodIdentityProfile payments/checkout would be refused",
    );
    failed(&ran, "did you mean className? (line 16)");
}

#[test]
fn values_of_other_charts_are_none_of_podids() {
    let release = release(VAULT);
    for (from, to) in [
        (
            "registry.example.com/platform/podid",
            "registry.example.com/platform/linkerd",
        ),
        ("podid-system}\nspec: {url", "elsewhere}\nspec: {url"),
    ] {
        let source = SOURCE.replace(from, to);
        let files = [("release.yaml", release.as_str()), ("source.yaml", &source)];
        let ran = plan_in(&folder(&files), "", &[]);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{ran:?}");
        let words = "HelmRelease podid-system/podid is not planned";
        assert!(ran.out.contains(words), "{}", ran.out);
    }
    let by_git = release.replace(
        "  chartRef: {kind: OCIRepository, name: podid}\n",
        "  chart: {spec: {chart: ./charts/podid, sourceRef: {kind: GitRepository, name: x}}}\n  valuesFrom: [{kind: Secret, name: more}]\n",
    );
    let ran = plan_in(&folder(&[("release.yaml", &by_git)]), "", &[]);
    let words = "what HelmRelease podid-system/podid takes from valuesFrom is not looked at; its own values are";
    planned(&ran, &["Profile payments/checkout", words], &[]);
    let suspended = by_git.replace("spec:\n  chart:", "spec:\n  suspend: true\n  chart:");
    let ran = plan_in(
        &folder(&[
            ("release.yaml", &suspended),
            ("x.yaml", PROFILE),
            ("c.yaml", CLASS),
        ]),
        "",
        &[],
    );
    let words = "what HelmRelease podid-system/podid installs is not planned: it is suspended";
    planned(&ran, &[words, "x.yaml:3"], &["refunds"]);
}
