//! `podid plan` of repositories in the layouts that Flux's documentation recommends. Kustomizations, for which a
//! program is needed, are in the ring `contract`.

mod files;
mod hostile;
mod release;

use git2::Repository;
use podid::Exit;

use crate::fixture::{Ran, podid};
use crate::plan::{CLASS, PROFILE};
use crate::plan_tree::{folder, plan_in};

/// What `flux bootstrap` writes for the cluster `prod`, without Flux's own objects.
const SYNC: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {url: 'ssh://git@git.example.com/shop/fleet', ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  path: ./clusters/prod/
  sourceRef: {kind: GitRepository, name: flux-system}
";

/// A Kustomization `apps` of `namespace` with this spec.
fn kustomization(namespace: &str, spec: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
         metadata: {{name: apps, namespace: {namespace}}}\nspec: {spec}\n"
    )
}

fn apps(spec: &str) -> String {
    kustomization("flux-system", spec)
}

/// The folder of the cluster `prod` with these files beside the sync and the class.
fn prod(files: &[(&str, &str)], flags: &[&str]) -> Ran {
    let base = [
        ("clusters/prod/flux-system/gotk-sync.yaml", SYNC),
        ("clusters/prod/class.yaml", CLASS),
    ];
    let tree = folder(&[&base, files].concat());
    plan_in(&tree, "clusters/prod", flags)
}

/// Planned, with these words, and without those.
fn planned(ran: &Ran, words: &[&str], without: &[&str]) {
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Changes, ""), "{ran:?}");
    for words in words {
        assert!(ran.out.contains(words), "{words:?} is not in: {}", ran.out);
    }
    for words in without {
        assert!(!ran.out.contains(words), "{words:?} is in: {}", ran.out);
    }
}

fn failed(ran: &Ran, words: &str) {
    assert_eq!((ran.exit, ran.out.as_str()), (Exit::Failed, ""), "{ran:?}");
    assert!(ran.err.contains(words), "{words:?} is not in: {}", ran.err);
}

#[test]
fn what_comes_from_another_source_is_named_and_not_looked_at() {
    let own = apps("{path: ./apps, sourceRef: {kind: GitRepository, name: flux-system}}");
    let profile = PROFILE.replace("name: checkout", "name: tenants");
    let source = |kind: &str, url: &str| {
        format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: {kind}\n\
             metadata: {{name: team, namespace: shop}}\nspec: {{url: '{url}'}}\n---\n"
        )
    };
    let reference = |kind: &str| {
        kustomization(
            "shop",
            &format!("{{path: ./tenants, sourceRef: {{kind: {kind}, name: team}}}}"),
        )
    };
    for (kind, url, said) in [
        (
            "GitRepository",
            "https://git.example.com/shop/team",
            "GitRepository shop/team of https://git.example.com/shop/team",
        ),
        (
            "OCIRepository",
            "oci://registry.example.com/manifests",
            "OCIRepository shop/team of oci://registry.example.com/manifests",
        ),
        ("Bucket", "", "Bucket shop/team"),
        ("ExternalArtifact", "", "ExternalArtifact shop/team"),
    ] {
        let declared = match url {
            "" => reference(kind),
            url => source(kind, url) + &reference(kind),
        };
        let files = [
            ("clusters/prod/apps.yaml", own.as_str()),
            ("clusters/prod/team.yaml", &declared),
            ("apps/checkout.yaml", PROFILE),
            ("tenants/profile.yaml", &profile),
        ];
        let ran = prod(&files, &[]);
        let words = format!(
            "what Kustomization shop/apps applies is not planned: its source is {said}, which is not this repository"
        );
        planned(
            &ran,
            &["payments/checkout", &words],
            &["payments/tenants", "flux-system/apps applies"],
        );
        // A person may know better.
        let named = format!("{kind}/team");
        let ran = prod(&files, &["--source", &named]);
        planned(&ran, &["payments/checkout", "payments/tenants"], &[&words]);
    }
}

#[test]
fn the_source_that_flux_s_operator_makes_is_this_repository() {
    let instance = "\
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system}
spec:
  sync: {kind: OCIRepository, url: 'oci://registry.example.com/fleet', ref: latest, path: clusters/prod}
";
    let own = apps("{path: ./apps, sourceRef: {kind: OCIRepository, name: flux-system}}");
    let files = [
        ("clusters/prod/flux-system/instance.yaml", instance),
        ("clusters/prod/class.yaml", CLASS),
        ("clusters/prod/apps.yaml", &own),
        ("apps/checkout.yaml", PROFILE),
    ];
    let ran = plan_in(&folder(&files), "clusters/prod", &[]);
    planned(&ran, &["payments/checkout"], &["note"]);
    // Without it, nothing says what the artifact is made of.
    let ran = plan_in(&folder(&files[1..]), "clusters/prod", &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{ran:?}");
    let words = "if it is, add --source OCIRepository/flux-system";
    assert!(ran.out.contains(words), "{}", ran.out);
}

#[test]
fn a_team_gives_the_variables_that_the_platform_defines() {
    let profile = PROFILE.replace("vaults/v\n", "vaults/${vault}\n");
    let script =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {run: 'echo ${HOME}'}\n";
    let files = [
        ("profiles/class.yaml", CLASS),
        ("profiles/checkout.yaml", &profile),
        ("profiles/script.yaml", script),
    ];
    let tree = folder(&files);
    let ran = plan_in(&tree, "profiles", &["--substitute", "vault=v"]);
    planned(&ran, &["read on all secrets of vault v "], &["${"]);
    // Where Kustomizations are, each has its own.
    let own = apps(
        "{path: ./profiles, sourceRef: {kind: GitRepository, name: flux-system}, \
         patches: [{target: {kind: ConfigMap}, patch: '${later}'}], suspend: true}",
    );
    let cluster = folder(&[
        ("a/flux.yaml", &own),
        ("a/class.yaml", CLASS),
        ("a/checkout.yaml", PROFILE),
    ]);
    let ran = plan_in(&cluster, "a", &["--substitute", "vault=w"]);
    planned(
        &ran,
        &["read on all secrets of vault v ", "it is suspended"],
        &[],
    );
    let ran = plan_in(&tree, "profiles", &["--substitute", "other=v"]);
    let words = "checkout.yaml:8: PodIdentityProfile payments/checkout: variable vault is not defined by a \
                 Kustomization of this tree; define it there, give it a default as ${vault:=…}, or pass --substitute \
                 vault=VALUE";
    failed(&ran, words);
}

#[test]
fn a_component_that_is_missing_is_named() {
    let own = |more: &str| {
        apps(&format!(
            "{{path: ./apps, components: [../nowhere]{more}, sourceRef: {{kind: GitRepository, name: flux-system}}}}"
        ))
    };
    let (strict, lenient) = (own(""), own(", ignoreMissingComponents: true"));
    let plan = |own: &str| {
        let files = [
            ("clusters/prod/apps.yaml", own),
            ("apps/checkout.yaml", PROFILE),
        ];
        prod(&files, &[])
    };
    failed(
        &plan(&strict),
        "clusters/prod/apps.yaml:4: component apps/../nowhere of Kustomization flux-system/apps is not in this tree",
    );
    planned(&plan(&lenient), &["payments/checkout"], &[]);
}

#[test]
fn a_source_with_the_address_of_a_remote_is_this_repository() {
    let team = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: all, namespace: shop}
spec: {url: 'https://git.example.com/shop/fleet.git'}
";
    let reference = kustomization(
        "shop",
        "{path: ./apps, sourceRef: {kind: GitRepository, name: all}}",
    );
    let tree = folder(&[
        ("a/class.yaml", CLASS),
        ("a/source.yaml", team),
        ("a/apps.yaml", &reference),
        ("apps/checkout.yaml", PROFILE),
    ]);
    let path = tree.path().join("a");
    let arguments = ["plan", path.to_str().unwrap()];
    let repository = Repository::init(tree.path()).unwrap();
    for (remote, is_own) in [
        ("git@git.example.com:shop/fleet.git", true),
        ("https://token@GIT.example.com/shop/fleet", true),
        ("ssh://git@git.example.com:22/shop/fleet/", true),
        ("https://git.example.com/shop/other", false),
        ("https://git.example.org/shop/fleet", false),
    ] {
        let _none = repository.remote_delete("origin");
        repository.remote("origin", remote).unwrap();
        let ran = podid(&arguments);
        let is_planned = ran.out.contains("payments/checkout, class standard");
        assert_eq!(is_planned, is_own, "{remote}: {ran:?}");
        assert_eq!(
            ran.out.contains("is not this repository"),
            !is_own,
            "{remote}: {ran:?}"
        );
        assert!(!ran.out.contains("token@"), "{}", ran.out);
    }
}

#[test]
fn the_folder_of_a_cluster_is_taken_as_its_own_kustomization_applies_it() {
    let sync = SYNC.replace(
        "  sourceRef",
        "  postBuild: {substitute: {vault: v}}\n  sourceRef",
    );
    let profile = PROFILE.replace("vaults/v\n", "vaults/${vault}\n");
    let files = [
        ("clusters/prod/flux-system/gotk-sync.yaml", sync.as_str()),
        ("clusters/prod/class.yaml", CLASS),
        ("clusters/prod/checkout.yaml", &profile),
    ];
    let ran = plan_in(&folder(&files), "clusters/prod", &[]);
    planned(&ran, &["read on all secrets of vault v "], &["${vault}"]);
}

#[test]
fn what_other_clusters_get_is_not_of_this_one() {
    let remote = apps(
        "{path: ./apps, kubeConfig: {secretRef: {name: edge}}, sourceRef: {kind: GitRepository, name: flux-system}}",
    );
    let files = [
        ("clusters/prod/remote.yaml", remote.as_str()),
        ("apps/checkout.yaml", PROFILE),
    ];
    let ran = prod(&files, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{ran:?}");
    let words =
        "Kustomization flux-system/apps applies is not planned: it applies to another cluster";
    assert!(ran.out.contains(words), "{}", ran.out);
}

#[test]
fn a_folder_that_a_kustomization_applies_counts_as_that_applies_it() {
    let profile = PROFILE.replace("vaults/v\n", "vaults/${vault}\n");
    let own = apps(
        "{path: ./apps, sourceRef: {kind: GitRepository, name: flux-system}, postBuild: {substitute: {vault: v}}}",
    );
    let files = [
        ("flux/apps.yaml", own.as_str()),
        ("flux/class.yaml", CLASS),
        ("apps/checkout.yaml", &profile),
    ];
    let ran = plan_in(&folder(&files), "", &[]);
    planned(&ran, &["read on all secrets of vault v "], &["${vault}"]);
}

#[test]
fn two_versions_of_a_fleet_are_compared_without_what_others_own() {
    let tree = crate::fixture::Tree::unborn();
    let url = "https://git.example.com/shop/team";
    let team = format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n\
         metadata: {{name: team, namespace: shop}}\nspec: {{url: '{url}'}}\n---\n"
    ) + &kustomization(
        "shop",
        "{path: ./, sourceRef: {kind: GitRepository, name: team}}",
    );
    let own = apps("{path: apps, sourceRef: {kind: GitRepository, name: flux-system}}");
    let files = [
        ("clusters/prod/flux-system/gotk-sync.yaml", SYNC),
        ("clusters/prod/class.yaml", CLASS),
        ("clusters/prod/apps.yaml", &own),
        ("clusters/prod/team.yaml", &team),
        ("apps/checkout.yaml", PROFILE),
    ];
    tree.commit(&files, &[]);
    tree.commit(&[("README.md", "x")], &["apps/checkout.yaml"]);
    // An empty folder does not exist in git, and its Kustomization fails.
    let ran = tree.podid(&["plan", "HEAD~1..HEAD"]);
    planned(
        &ran,
        &[
            "Profile payments/checkout, class standard, deleted",
            "its path apps of GitRepository flux-system is not in this tree",
            "shop/apps applies is not planned: its source is GitRepository shop/team",
        ],
        &[],
    );
}
