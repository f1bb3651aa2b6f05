//! A repository per team, as `flux2-multi-tenancy` has it: the platform's repository holds, for each team, a
//! source and the Kustomization that applies it.

use super::{CLASS, Fleet, PROFILE, bootstrapped, kustomization, with};

/// The objects of a team: everything in its own repository is applied to its namespace by its own account.
const SYNC: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: team-a, namespace: team-a}
spec:
  interval: 1m
  url: https://github.com/shop/team-a
  ref: {branch: main}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: team-a, namespace: team-a}
spec:
  interval: 5m
  path: ./
  prune: true
  serviceAccountName: team-a
  targetNamespace: team-a
  sourceRef: {kind: GitRepository, name: team-a}
";
const RBAC: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: team-a, labels: {toolkit.fluxcd.io/tenant: team-a}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: team-a, namespace: team-a}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: team-a-reconciler, namespace: team-a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: ServiceAccount, name: team-a, namespace: team-a}]
";

fn platform() -> Fleet {
    let tenants = kustomization("tenants", "./tenants/production", "");
    let flux = bootstrapped("production");
    Fleet::new(&with(
        &flux,
        &[
            ("clusters/production/tenants.yaml", &tenants),
            ("clusters/production/class.yaml", CLASS),
            (
                "tenants/base/team-a/kustomization.yaml",
                "resources: [rbac.yaml, sync.yaml]\n",
            ),
            ("tenants/base/team-a/rbac.yaml", RBAC),
            ("tenants/base/team-a/sync.yaml", SYNC),
            (
                "tenants/production/kustomization.yaml",
                "resources: [../base/team-a]\npatches:\n  - path: team-a.yaml\n",
            ),
            (
                "tenants/production/team-a.yaml",
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: team-a, namespace: team-a}\nspec: {path: ./production}\n",
            ),
            // What Flux never reads here, as no path leads to it.
            ("production/profile.yaml", PROFILE),
            ("compose.yaml", "services: {}\n"),
        ],
    ))
}

#[test]
fn the_platform_does_not_speak_for_a_team() {
    let platform = platform();
    for folder in [".", "clusters/production"] {
        let plan = platform.plan(folder);
        assert_eq!(plan.profiles(), [""; 0]);
        let words = "what Kustomization team-a/team-a applies is not planned: its source is GitRepository team-a/team-a of https://github.com/shop/team-a, which is not this repository";
        assert!(plan.notes().contains(words), "{}", plan.notes());
    }
}

#[test]
fn a_team_plans_its_own_repository_with_the_class_of_the_platform() {
    let platform = platform();
    let kustomization = "resources: [../base]\nnameSuffix: -blue\n";
    let team = Fleet::new(&[
        (
            "base/kustomization.yaml",
            "namespace: team-a\nresources: [profile.yaml]\n",
        ),
        ("base/profile.yaml", PROFILE),
        ("production/kustomization.yaml", kustomization),
    ]);
    let class = platform.path("clusters/production/class.yaml");
    let folder = team.path("production").display().to_string();
    let plan = super::Plan::of(&[&folder, "--class-file", class.to_str().unwrap()]);
    assert_eq!(plan.profiles(), [" team-a/podinfo-blue Added +base"]);
    let place = &plan.0["profiles"][0]["place"];
    assert_eq!(place["file"], "base/profile.yaml", "{place}");
}
