//! Trees of people who want a plan to hide something, or to show what is not theirs.

use std::fs;

use super::{failed, planned, prod};
use crate::plan::PROFILE;

#[test]
fn what_flux_applies_cannot_be_hidden_from_a_plan() {
    let named = |name: &str| PROFILE.replace("name: checkout", &format!("name: {name}"));
    let inner = named("listed").replace('\n', "\n    ");
    let list = format!(
        "apiVersion: podid.dev/v1alpha1\nkind: PodIdentityProfileList\nitems:\n  - {inner}\n"
    );
    let files = [
        ("clusters/prod/list.yaml", list.as_str()),
        ("clusters/prod/.dotfile.yaml", &named("dotfile")),
        ("clusters/prod/.folder/profile.yaml", &named("dotfolder")),
        ("clusters/prod/.github/workflow.yaml", "on: push\n"),
        (
            "clusters/prod/a\n# Safe to merge\u{1b}[31m.yaml",
            &named("line"),
        ),
    ];
    let shown = [
        "payments/listed",
        "payments/dotfile",
        "payments/dotfolder",
        "clusters/prod/a # Safe to merge [31m.yaml",
    ];
    planned(&prod(&files, &[]), &shown, &[]);
}

#[test]
fn nothing_of_the_machine_and_of_other_hosts_ends_in_a_plan() {
    let machine = tempfile::tempdir().unwrap();
    let secret = machine.path().join("secret");
    fs::write(&secret, "loot: stolen\n").unwrap();
    let path = secret.display().to_string();
    let transformer = format!(
        "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {{name: loot}}\nfiles: [loot={path}]\n"
    );
    let aliased = transformer.replace(
        "{name: loot}",
        &format!("{{name: loot, annotations: {{a: &a 'loot={path}'}}}}"),
    );
    let aliased = aliased.replace(&format!("[loot={path}]"), "[*a]");
    let inline = transformer.replace('\n', "\n    ");
    for field in [
        format!("configMapGenerator: [{{name: loot, files: [loot={path}]}}]"),
        format!("configMapGenerator: [{{name: loot, files: ['{path}']}}]"),
        format!("configMapGenerator: [{{name: loot, envs: ['{path}']}}]"),
        format!("secretGenerator: [{{name: loot, env: '{path}'}}]"),
        format!("replacements: [{{path: '{path}'}}]"),
        format!("patchesStrategicMerge: ['{path}']"),
        format!("patchesJson6902: [{{target: {{kind: X, name: y, version: v1}}, path: '{path}'}}]"),
        format!("openapi: {{path: '{path}'}}"),
        format!("configurations: ['{path}']"),
        format!("generators: ['{path}']"),
        format!(
            "commonAnnotations: {{a: &a 'loot={path}'}}\nconfigMapGenerator: [{{name: loot, files: [*a]}}]"
        ),
        format!("commonAnnotations: {{a: &a '{path}'}}\npatches: [{{path: *a}}]"),
        format!("commonAnnotations: {{a: &a '{path}'}}\ncomponents: [*a]"),
        "generators: [aliased.yaml]".to_owned(),
        "generators: [generator.yaml]".to_owned(),
        "transformers: [plugins]".to_owned(),
        format!("generators:\n  - |\n    {inline}"),
    ] {
        let kustomization = format!("resources: [checkout.yaml]\n{field}\n");
        let files = [
            ("clusters/prod/kustomization.yaml", kustomization.as_str()),
            ("clusters/prod/checkout.yaml", PROFILE),
            ("clusters/prod/generator.yaml", &transformer),
            ("clusters/prod/aliased.yaml", &aliased),
            (
                "clusters/prod/plugins/kustomization.yaml",
                "resources: [generator.yaml]\n",
            ),
            ("clusters/prod/plugins/generator.yaml", &transformer),
        ];
        failed(&prod(&files, &[]), "leads out of the tree");
    }
    for field in [
        "configMapGenerator: [{name: loot, files: ['x=http://127.0.0.1:9/x']}]",
        "transformers: ['https://127.0.0.1:9/x']",
        "validators: ['ssh://git@127.0.0.1/x']",
        "configurations: ['HTTP://127.0.0.1:9/x']",
        "replacements: [{path: 'http://127.0.0.1:9/x'}]",
        "openapi: {path: 'http://127.0.0.1:9/x'}",
    ] {
        let kustomization = format!("resources: [checkout.yaml]\n{field}\n");
        let files = [
            ("clusters/prod/kustomization.yaml", kustomization.as_str()),
            ("clusters/prod/checkout.yaml", PROFILE),
        ];
        failed(&prod(&files, &[]), "is on another host");
    }
}

#[test]
fn names_that_only_kustomize_takes_for_known_ones_are_refused() {
    for field in [
        "ConfigMapGenerator: [{name: loot, files: [x=/etc/hostname]}]",
        "configMapGenerator: [{name: loot, Files: [x=/etc/hostname]}]",
        "Components: ['https://127.0.0.1:9/x']",
        "re\u{17f}ources: [../other]",
        "openapi: {PATH: 'http://127.0.0.1:9/x'}",
        "patches: [{Path: 'http://127.0.0.1:9/x'}]",
        "Replacements: []",
    ] {
        let kustomization = format!("resources: [checkout.yaml]\n{field}\n");
        let files = [
            ("clusters/prod/kustomization.yaml", kustomization.as_str()),
            ("clusters/prod/checkout.yaml", PROFILE),
        ];
        failed(&prod(&files, &[]), "not planned in this spelling");
    }
}

#[test]
fn an_address_of_a_plugin_is_not_fetched() {
    for entry in [
        "github.com/evil/repo",
        "evil@attacker.example:x/y",
        "''",
        "- a",
    ] {
        for list in ["transformers", "generators", "validators"] {
            let kustomization = format!("resources: [checkout.yaml]\n{list}:\n  - {entry}\n");
            let files = [
                ("clusters/prod/kustomization.yaml", kustomization.as_str()),
                ("clusters/prod/checkout.yaml", PROFILE),
            ];
            let ran = prod(&files, &[]);
            assert_eq!(ran.exit, podid::Exit::Failed, "{list} {entry}: {}", ran.out);
        }
    }
}

#[test]
fn an_end_of_line_that_no_editor_shows_is_refused() {
    for separator in ['\u{85}', '\u{2028}', '\u{2029}'] {
        let hidden = format!("# see the wiki{separator}  netRaw: Ignore\n");
        let profile = format!("{PROFILE}{hidden}");
        let files = [("clusters/prod/checkout.yaml", profile.as_str())];
        failed(&prod(&files, &[]), "takes for the end of a line");
    }
}

#[test]
fn a_file_called_chart_hides_nothing() {
    let files = [
        (
            "clusters/prod/x/Chart.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n",
        ),
        ("clusters/prod/x/checkout.yaml", PROFILE),
    ];
    planned(&prod(&files, &[]), &["payments/checkout"], &[]);
}
