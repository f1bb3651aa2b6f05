//! Fields of kustomizations, Flux's and kustomize's, that change names, namespaces and values.

use super::{CLASS, Fleet, PROFILE, bootstrapped, kustomization, with};

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: podinfo}
spec:
  selector: {matchLabels: {app: podinfo}}
  template:
    metadata: {labels: {app: podinfo, aadpodidbinding: podinfo}}
    spec:
      containers:
        - name: podinfod
          image: ghcr.io/stefanprodan/podinfo:6.9.0
          envFrom: [{configMapRef: {name: podinfo}}]
";
const SCALER: &str = "\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: podinfo}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  maxReplicas: 4
";
const KUSTOMIZATION: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [deployment.yaml, hpa.yaml, profile.yaml]
images: [{name: ghcr.io/stefanprodan/podinfo, newTag: 6.9.1}]
configMapGenerator:
  - name: podinfo
    literals: [UI_COLOR=blue, 'TEMPLATE=$${HOSTNAME}']
secretGenerator:
  - name: podinfo
    files: [token.encs]
";

/// podinfo's folder, applied with these fields, beside these files.
fn planned(fields: &str, files: &[(&str, &str)]) -> super::Plan {
    let flux = bootstrapped("prod");
    let apps = kustomization("apps", "./deploy/", fields);
    let base = [
        ("clusters/prod/class.yaml", CLASS),
        ("clusters/prod/apps.yaml", &apps),
        ("deploy/kustomization.yaml", KUSTOMIZATION),
        ("deploy/deployment.yaml", DEPLOYMENT),
        ("deploy/hpa.yaml", SCALER),
        ("deploy/profile.yaml", PROFILE),
        ("deploy/token.encs", "ENC[AES256_GCM,data:x]"),
    ];
    let mut all = with(&flux, &base);
    all.retain(|(path, _)| files.iter().all(|(other, _)| other != path));
    all.extend(files);
    Fleet::new(&all).plan("clusters/prod")
}

#[test]
fn a_target_namespace_and_names_reach_the_profile_and_its_workload() {
    let plan = planned(
        "  targetNamespace: podinfo
  namePrefix: eu-
  nameSuffix: -blue
  commonMetadata:
    labels: {environment: prod}
    annotations: {owner: shop}
",
        &[],
    );
    assert_eq!(plan.profiles(), [" podinfo/eu-podinfo-blue Added +base"]);
    let profile = &plan.0["profiles"][0];
    assert_eq!(profile["place"]["file"], "deploy/profile.yaml", "{profile}");
}

#[test]
fn variables_have_defaults_and_the_later_source_counts() {
    let scope = "vaults/base\n";
    let profile = PROFILE.replace(scope, "vaults/${vault:=fallback}\n");
    let from = "  targetNamespace: podinfo
  postBuild:
    substituteFrom:
      - {kind: ConfigMap, name: cluster-vars}
      - {kind: Secret, name: cluster-secrets}
      - {kind: ConfigMap, name: none, optional: true}
";
    let map = |data: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: cluster-vars, namespace: flux-system}}\ndata: {data}\n"
        )
    };
    let secret = |rest: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: cluster-secrets, namespace: flux-system}}\n{rest}\n"
        )
    };
    let encrypted = "stringData: {vault: 'ENC[AES256_GCM,data:x]'}\nsops: {version: 3.10.2}";
    for (inline, map_data, secret_data, vault) in [
        ("", "{color: blue}", "stringData: {color: red}", "fallback"),
        ("", "{vault: map}", "stringData: {color: red}", "map"),
        ("", "{vault: map}", "data: {vault: c2VjcmV0}", "secret"),
        (
            "    substitute: {vault: inline}\n",
            "{vault: map}",
            "data: {vault: c2VjcmV0}",
            "inline",
        ),
        (
            "    substitute: {vault: inline}\n",
            "{vault: map}",
            encrypted,
            "inline",
        ),
    ] {
        let (map, secret) = (map(map_data), secret(secret_data));
        let plan = planned(
            &(from.to_owned() + inline),
            &[
                ("clusters/prod/vars.yaml", &map),
                ("clusters/prod/secrets.yaml", &secret),
                ("deploy/profile.yaml", &profile),
            ],
        );
        let wanted = format!(" podinfo/podinfo Added +{vault}");
        assert_eq!(plan.profiles(), [wanted]);
    }
}

#[test]
fn components_and_inlined_patches_come_on_top() {
    let component = "\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
  - target: {kind: PodIdentityProfile}
    patch: |
      - op: replace
        path: /spec/access/0/scope
        value: /subscriptions/s/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/component
";
    let plan = planned(
        "  targetNamespace: podinfo
  components: [../components/vault]
  patches:
    - target: {kind: PodIdentityProfile}
      patch: |
        - op: add
          path: /spec/binding
          value: {selector: web}
",
        &[("components/vault/kustomization.yaml", component)],
    );
    assert_eq!(plan.profiles(), [" podinfo/podinfo Added +component"]);
    assert_eq!(plan.0["profiles"][0]["pods"]["selector"], "web");
}

#[test]
fn the_cluster_s_own_kustomization_may_patch_all_others() {
    // As repositories do that give every Kustomization the same variables.
    let [components, (sync_path, sync), own] = bootstrapped("prod");
    let patched = sync
        + "  patches:
    - target: {group: kustomize.toolkit.fluxcd.io, kind: Kustomization}
      patch: |
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: any}
        spec: {postBuild: {substitute: {vault: patched}}}
";
    let flux = [components, (sync_path, patched), own];
    let apps = kustomization("apps", "deploy", "  targetNamespace: podinfo\n");
    let profile = PROFILE.replace("vaults/base\n", "vaults/${vault}\n");
    let fleet = Fleet::new(&with(
        &flux,
        &[
            ("clusters/prod/class.yaml", CLASS),
            ("clusters/prod/apps.yaml", &apps),
            ("deploy/profile.yaml", &profile),
        ],
    ));
    let plan = fleet.plan("clusters/prod");
    assert_eq!(plan.profiles(), [" podinfo/podinfo Added +patched"]);
}
