//! Which files of a repository are read, and what of them.

use super::{apps, failed, planned, prod};
use crate::plan::{CLASS, PROFILE};
use crate::plan_tree::{folder, plan_in};

#[test]
fn secrets_are_decoded_and_encrypted_ones_are_not_taken_for_values() {
    let from = apps(
        "{path: ./apps, sourceRef: {kind: GitRepository, name: flux-system}, \
         postBuild: {substituteFrom: [{kind: Secret, name: facts}]}}",
    );
    let profile = PROFILE.replace("vaults/v\n", "vaults/${vault}\n");
    let secret = |fields: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: facts, namespace: flux-system}}\n{fields}\n"
        )
    };
    let web = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop, labels: {zone: '${zone}'}}\n";
    let plan = |fields: &str, flags: &[&str]| {
        let secret = secret(fields);
        let files = [
            ("clusters/prod/apps.yaml", from.as_str()),
            ("clusters/prod/facts.yaml", &secret),
            ("apps/checkout.yaml", &profile),
            ("apps/web.yaml", web),
        ];
        prod(&files, flags)
    };
    for fields in [
        "data: {vault: dg==, zone: YQ==}",
        "stringData: {vault: v, zone: a}",
        "data: {vault: bm90, zone: YQ==}\nstringData: {vault: v}",
    ] {
        planned(
            &plan(fields, &[]),
            &["read on all secrets of vault v "],
            &[],
        );
    }
    let sops = "data: {vault: 'ENC[AES256_GCM,data:x,type:str]'}\nsops: {version: 3.9.0}";
    let words = "apps/checkout.yaml:8: PodIdentityProfile payments/checkout: variable vault is not defined by \
                 Kustomization flux-system/apps, whose Secret facts is encrypted";
    failed(&plan(sops, &[]), words);
    // What podid does not read may go without: the cluster has its values.
    let ran = plan(sops, &["--substitute", "vault=v"]);
    planned(&ran, &["read on all secrets of vault v "], &["ENC["]);
    // But where nothing else could define a variable, Flux fails too.
    let ran = plan("stringData: {vault: v}", &[]);
    failed(
        &ran,
        "apps/web.yaml:3: Service shop/web: variable zone is not defined",
    );
}

#[test]
fn what_flux_does_not_read_stops_no_plan() {
    let template = "{{- if .Values.on }}\nkind: X\n{{- end }}\n";
    let files = [
        ("clusters/prod/checkout.yaml", PROFILE),
        ("charts/web/Chart.yaml", "name: web\nversion: 1.0.0\n"),
        ("charts/web/templates/web.yaml", template),
        ("docker-compose.yml", "services: {web: {image: x}}\n"),
        (
            "mkdocs.yml",
            "x: !!python/name:material.extensions {{ x }}\n",
        ),
        (".sops.yaml", "creation_rules: [{{ x }}\n"),
        (".github/workflows/ci.yaml", "on: push\njobs: {{\n"),
    ];
    planned(&prod(&files, &[]), &["payments/checkout"], &["note"]);
    // Without the folder clusters/, everything is looked at, and what is left out is named.
    let everywhere = files.map(|(path, text)| (path.trim_start_matches("clusters/"), text));
    let tree = folder(&[&everywhere[..], &[("class.yaml", CLASS)]].concat());
    let ran = plan_in(&tree, "", &[]);
    planned(
        &ran,
        &[
            "payments/checkout",
            "charts/web is a Helm chart, which is not planned",
            "mkdocs.yml:1 is not YAML; it is left out",
        ],
        &["templates/web.yaml", "docker-compose", ".sops"],
    );
    // A file of podid's that cannot be read is never left out.
    let broken = format!("{PROFILE}  x: {{{{ y\n");
    let tree = folder(&[("class.yaml", CLASS), ("x.yaml", &broken)]);
    failed(&plan_in(&tree, "", &[]), "x.yaml:11 is not YAML");
}

#[test]
fn what_flux_reads_and_fails_on_is_named_with_its_line() {
    let own = apps("{path: ./apps/, sourceRef: {kind: GitRepository, name: flux-system}}");
    for (path, text, words) in [
        (
            "apps/web/values.yaml",
            "# of a chart\nreplicas: 2\n",
            "apps/web/values.yaml:2 is no object of Kubernetes: it has no kind",
        ),
        (
            "apps/a.yaml",
            "apiVersion: v1\nkind: Pod\n",
            "apps/a.yaml:1 is no object of Kubernetes: it has no metadata.name",
        ),
        (
            "apps/a.yaml",
            "kind: Pod\nmetadata: {name: x}\n",
            "apps/a.yaml:1 is no object of Kubernetes: it has no apiVersion",
        ),
        (
            "apps/a.yaml",
            "---\n---\n- 1\n",
            "apps/a.yaml:3 is no object of Kubernetes: it has no kind",
        ),
        ("apps/a.yml", "a: {{ b }}\nx: {{- c }}\n", "apps/a.yml:"),
        // The cluster's own folder is read by its own Kustomization.
        (
            "clusters/prod/compose.yaml",
            "services: {}\n",
            "clusters/prod/compose.yaml:1 is no object",
        ),
    ] {
        let files = [
            ("clusters/prod/apps.yaml", own.as_str()),
            ("apps/checkout.yaml", PROFILE),
            (path, text),
        ];
        failed(&prod(&files, &[]), words);
    }
    // Files of pipelines, which Flux leaves out, and empty ones are none of those.
    let files = [
        ("clusters/prod/apps.yaml", own.as_str()),
        ("apps/checkout.yaml", PROFILE),
        ("apps/cloudbuild.yaml", "steps: []\n"),
        ("apps/empty.yaml", "# nothing\n---\n"),
        (
            "apps/list.yaml",
            "apiVersion: v1\nkind: ConfigMapList\nitems: []\n",
        ),
    ];
    planned(&prod(&files, &[]), &["payments/checkout"], &[]);
}

#[test]
fn what_two_kustomizations_declare_differently_matters_only_where_it_is_planned() {
    let own = apps("{path: ./apps, sourceRef: {kind: GitRepository, name: flux-system}}");
    let namespace = |label: &str| {
        format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: payments, labels: {{by: {label}}}}}\n"
        )
    };
    let (one, other) = (namespace("one"), namespace("other"));
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n";
    let other_service = service.to_owned() + "spec: {type: NodePort}\n";
    let files = [
        ("clusters/prod/apps.yaml", own.as_str()),
        ("clusters/prod/namespace.yaml", &one),
        ("clusters/prod/web.yaml", service),
        ("apps/checkout.yaml", PROFILE),
        ("apps/namespace.yaml", &other),
        ("apps/web.yaml", &other_service),
    ];
    let words = "Namespace payments is declared twice, and differently: clusters/prod/namespace.yaml:1 and \
                 apps/namespace.yaml:1; the first is taken";
    planned(
        &prod(&files, &[]),
        &["payments/checkout", words],
        &["Service"],
    );
    let other = PROFILE.replace("vaults/v\n", "vaults/w\n");
    let files = [
        ("clusters/prod/apps.yaml", own.as_str()),
        ("clusters/prod/checkout.yaml", PROFILE),
        ("apps/checkout.yaml", &other),
    ];
    failed(
        &prod(&files, &[]),
        "PodIdentityProfile payments/checkout is declared twice, and differently",
    );
}

#[test]
fn many_releases_of_others_are_one_note() {
    let release = |name: usize| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n\
             metadata: {{name: r{name}, namespace: shop}}\nspec: {{chart: {{spec: {{chart: web}}}}}}\n"
        )
    };
    let all = |count: usize| (0..count).map(release).collect::<Vec<_>>().join("---\n");
    for (count, words) in [
        (3, "note HelmRelease shop/r2 is not planned"),
        (
            5,
            "note 5 objects of kind HelmRelease are not planned: shop/r0, shop/r1, shop/r2, shop/r3, shop/r4",
        ),
    ] {
        let releases = all(count);
        let files = [
            ("clusters/prod/checkout.yaml", PROFILE),
            ("clusters/prod/releases.yaml", releases.as_str()),
        ];
        planned(&prod(&files, &[]), &[words], &[]);
    }
}
