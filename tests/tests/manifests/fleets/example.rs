//! One repository for all clusters, as `flux2-kustomize-helm-example` has it: infrastructure, apps with a base and
//! overlays, HelmReleases everywhere.

use podid::Exit;

use super::{CLASS, Fleet, PROFILE, bootstrapped, kustomization, plan, with};

const RELEASE: &str = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: podinfo
  namespace: podinfo
spec:
  releaseName: podinfo
  chart:
    spec:
      chart: podinfo
      sourceRef: {kind: HelmRepository, name: podinfo}
  interval: 50m
  values:
    ingress: {enabled: true}
";
const REPOSITORY: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: podinfo, namespace: podinfo}
spec: {interval: 5m, url: 'https://stefanprodan.github.io/podinfo'}
";
const NAMESPACE: &str =
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: podinfo, labels: {team: shop}}\n";
const ISSUER: &str = "\
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: letsencrypt}
spec: {acme: {server: 'https://acme-staging-v02.api.letsencrypt.org/directory'}}
";
const BASE: &str = "namespace: podinfo\nresources:\n  - namespace.yaml\n  - release.yaml\n  - repository.yaml\n  - profile.yaml\n";

/// The overlay of an environment: other values, and another vault.
fn overlay(vault: &str) -> (String, String) {
    let kustomization = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../base/podinfo
patches:
  - path: podinfo-values.yaml
    target: {kind: HelmRelease, name: podinfo}
  - path: podinfo-vault.yaml
    target: {kind: PodIdentityProfile, name: podinfo}
";
    let patch = format!(
        "- op: replace\n  path: /spec/access/0/scope\n  value: /subscriptions/s/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/{vault}\n"
    );
    (kustomization.to_owned(), patch)
}

/// All files but those of Flux itself.
pub(super) fn fleet() -> Fleet {
    let infrastructure = kustomization("infra-controllers", "./infrastructure/controllers", "")
        + "---\n"
        + &kustomization(
            "infra-configs",
            "./infrastructure/configs",
            "  dependsOn:
    - name: infra-controllers
      namespace: flux-system
  healthCheckExprs:
    - apiVersion: podid.dev/v1alpha1
      kind: PodIdentityClass
      current: status.conditions.exists(e, e.type == 'Ready' && e.status == 'True')
  patches:
    - patch: |
        - op: replace
          path: /spec/acme/server
          value: https://acme-v02.api.letsencrypt.org/directory
      target: {kind: ClusterIssuer, name: letsencrypt}
    - patch: |
        - op: replace
          path: /spec/clusterName
          value: patched
      target: {kind: PodIdentityClass}
",
        );
    let apps = |environment: &str| {
        kustomization(
            "apps",
            &format!("./apps/{environment}/"),
            "  dependsOn: [{name: infra-configs}]\n",
        )
    };
    let (staging_apps, production_apps) = (apps("staging"), apps("production"));
    let ((staging, to_staging), (production, to_production)) =
        (overlay("staging"), overlay("production"));
    let values = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: podinfo}\nspec: {values: {replicaCount: 2}}\n";
    let flux = [bootstrapped("staging"), bootstrapped("production")].concat();
    Fleet::new(&with(
        &flux,
        &[
            ("clusters/staging/infrastructure.yaml", &infrastructure),
            ("clusters/staging/apps.yaml", &staging_apps),
            ("clusters/production/infrastructure.yaml", &infrastructure),
            ("clusters/production/apps.yaml", &production_apps),
            ("infrastructure/controllers/podinfo.yaml", REPOSITORY),
            (
                "infrastructure/configs/kustomization.yaml",
                "resources: [cluster-issuers.yaml, class.yaml]\n",
            ),
            ("infrastructure/configs/cluster-issuers.yaml", ISSUER),
            ("infrastructure/configs/class.yaml", CLASS),
            ("apps/base/podinfo/kustomization.yaml", BASE),
            ("apps/base/podinfo/namespace.yaml", NAMESPACE),
            ("apps/base/podinfo/release.yaml", RELEASE),
            ("apps/base/podinfo/repository.yaml", REPOSITORY),
            ("apps/base/podinfo/profile.yaml", PROFILE),
            ("apps/staging/kustomization.yaml", &staging),
            ("apps/staging/podinfo-values.yaml", values),
            ("apps/staging/podinfo-vault.yaml", &to_staging),
            ("apps/production/kustomization.yaml", &production),
            ("apps/production/podinfo-values.yaml", values),
            ("apps/production/podinfo-vault.yaml", &to_production),
            (".github/workflows/test.yaml", "on: [push\n"),
            (
                ".sourceignore",
                "/*\n!/apps\n!/clusters\n!/infrastructure\n",
            ),
            ("scripts/validate.sh", "#!/bin/sh\n"),
            ("README.md", "# Fleet\n"),
        ],
    ))
}

#[test]
fn each_cluster_gets_its_overlay() {
    let fleet = fleet();
    let all = fleet.plan(".");
    assert_eq!(
        all.profiles(),
        [
            "clusters/production podinfo/podinfo Added +production",
            "clusters/staging podinfo/podinfo Added +staging",
        ]
    );
    let one = fleet.plan("clusters/production");
    assert_eq!(one.profiles(), [" podinfo/podinfo Added +production"]);
    let ignored = one.0["ignored"].to_string();
    assert_eq!(ignored, r#"["HelmRelease podinfo/podinfo"]"#);
    // The tag of what the class makes has the patched name of the cluster.
    assert!(one.0.to_string().contains("patched"), "{:#}", one.0);
    // Nothing is written into the folder that is planned.
    assert_eq!(fleet.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_change_of_one_overlay_is_a_change_of_one_cluster() {
    let fleet = fleet();
    let (_, patch) = overlay("blue");
    fleet.commit(&[("apps/production/podinfo-vault.yaml", &patch)]);
    assert_eq!(
        fleet.plan_range("HEAD~1..HEAD").profiles(),
        [
            "clusters/production podinfo/podinfo Changed +blue -production",
            "clusters/staging podinfo/podinfo Unchanged",
        ]
    );
    let whole = BASE.replace("  - profile.yaml\n", "");
    let overlay = "resources: [../base/podinfo]\n";
    fleet.commit(&[
        ("apps/base/podinfo/kustomization.yaml", &whole),
        ("apps/production/kustomization.yaml", overlay),
        ("apps/staging/kustomization.yaml", overlay),
    ]);
    assert_eq!(
        fleet.plan_range("HEAD~1...HEAD").profiles(),
        [
            "clusters/production podinfo/podinfo Deleted -blue",
            "clusters/staging podinfo/podinfo Deleted -staging",
        ]
    );
}

#[test]
fn a_base_on_another_host_is_never_fetched() {
    let fleet = fleet();
    let remote =
        "resources:\n  - https://github.com/kubernetes-sigs/gateway-api/config/crd?ref=v1.2.0\n";
    let gateway = kustomization("gateway", "./infrastructure/gateway", "");
    fleet.commit(&[
        ("infrastructure/gateway/kustomization.yaml", remote),
        ("clusters/production/gateway.yaml", &gateway),
    ]);
    let plan_with_note = fleet.plan("clusters/production");
    assert_eq!(
        plan_with_note.profiles(),
        [" podinfo/podinfo Added +production"]
    );
    let words = "infrastructure/gateway is not planned: infrastructure/gateway/kustomization.yaml:2: https://github.com/kubernetes-sigs/gateway-api/config/crd?ref=v1.2.0 is on another host";
    assert!(
        plan_with_note.notes().contains(words),
        "{}",
        plan_with_note.notes()
    );

    // Where it stands beside a profile, leaving it out would show the profile as deleted.
    let with_remote = BASE.to_owned() + "  - github.com/shop/bases//podinfo?ref=v1\n";
    fleet.commit(&[("apps/base/podinfo/kustomization.yaml", &with_remote)]);
    let folder = fleet.path("clusters/production").display().to_string();
    let (exit, out, err) = plan(&[&folder]);
    assert_eq!((exit, out.as_str()), (Exit::Failed, ""));
    let words = "apps/base/podinfo/kustomization.yaml:7: github.com/shop/bases//podinfo?ref=v1 is on another host";
    assert!(err.contains(words), "{err}");
}
