//! `podid plan --live`, against a stand-in for an API server that answers lists.

use std::collections::BTreeMap;

use podid::Exit;
use serde_json::{Value, json};

use crate::api_server::Cluster;
use crate::fixture::{Ran, podid};
use crate::plan::{CLASS, PROFILE};
use crate::plan_tree::folder;

const PRINCIPAL: &str = "55555555-0000-4000-8000-000000000001";
const ID: &str = "/subscriptions/99999999-2222-3333-4444-555555555555/resourceGroups/identities/providers/Microsoft.ManagedIdentity/userAssignedIdentities/prod-1-payments-checkout-d253e6e7b6";
const VAULT: &str = "/subscriptions/s/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/v";

impl Cluster {
    /// With these profiles, and the class.
    fn with(profiles: Vec<Value>) -> Self {
        Self::new(BTreeMap::from([
            ("podidentityclasses", Ok(vec![read(CLASS)])),
            ("podidentityprofiles", Ok(profiles)),
            ("namespaces", Ok(vec![])),
        ]))
    }

    /// Plans a folder with these files against it.
    fn plan(&self, files: &[(&str, &str)], flags: &[&str]) -> Ran {
        let tree = folder(files);
        let (path, config) = (tree.path(), self.kubeconfig());
        let (path, config) = (path.to_str().unwrap(), config.to_str().unwrap());
        let base = [
            "plan",
            path,
            "--live",
            "--kubeconfig",
            config,
            "--context",
            "prod",
        ];
        podid(&[&base, flags].concat())
    }
}

fn read(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// The profile as a cluster has it once the operator is done, with a right on the vault only.
fn made() -> Value {
    let mut profile = read(PROFILE);
    profile["metadata"]["uid"] = json!("u-1");
    profile["spec"]["netRaw"] = json!("Enforce");
    profile["spec"]["access"]
        .as_array_mut()
        .unwrap()
        .truncate(1);
    profile["status"] = json!({
        "observedGeneration": 1,
        "conditions": [{"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded", "message": "done",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        "identity": {"resourceId": ID, "clientId": "c-1", "principalId": PRINCIPAL, "tenantId": "11111111-2222-3333-4444-555555555555", "created": true},
        "roleAssignments": [{"id": format!("{VAULT}/providers/Microsoft.Authorization/roleAssignments/r-1"),
            "role": "Key Vault Secrets User", "scope": VAULT, "principalId": PRINCIPAL, "created": true},
            {"id": format!("{ID}/providers/Microsoft.Authorization/roleAssignments/r-2"),
            "role": "Managed Identity Operator", "scope": ID,
            "principalId": "77777777-2222-3333-4444-555555555555", "created": true}],
    });
    profile
}

fn planned(ran: &Ran, words: &[&str]) {
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Changes, ""), "{ran:?}");
    for words in words {
        assert!(ran.out.contains(words), "{words:?} is not in: {}", ran.out);
    }
}

#[test]
fn what_the_cluster_has_is_not_planned_again() {
    // The class comes from the cluster.
    let cluster = Cluster::with(vec![made()]);
    let ran = cluster.plan(&[("checkout.yaml", PROFILE)], &[]);
    planned(
        &ran,
        &[
            "assuming that Azure holds what the status of the profile records",
            &format!("the cluster has identity {ID} (client id c-1) and 2 role assignments\n"),
            "payments/checkout gains the role Payments Auditor on subscription s",
            "1. grant the identity Payments Auditor",
            "1 write and 0 deletions",
        ],
    );
    assert!(!ran.out.contains("create identity"), "{}", ran.out);
    let same = PROFILE.replace(
        "    - role: Payments Auditor\n      scope: /subscriptions/s\n",
        "",
    );
    let ran = cluster.plan(&[("checkout.yaml", &same)], &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{ran:?}");
    assert_eq!(ran.out, "1 profile as before\n");
}

#[test]
fn programs_get_the_ids_of_the_status() {
    let none = PROFILE.replace("  access:\n", "  access: []\n");
    let none = none.split_inclusive('\n').take(6).collect::<String>();
    let ran = Cluster::with(vec![made()]).plan(&[("checkout.yaml", &none)], &["-o", "json"]);
    planned(&ran, &[]);
    let plan: Value = serde_json::from_str(&ran.out).unwrap();
    let profile = &plan["profiles"][0];
    assert_eq!(profile["change"], "Changed");
    assert_eq!(profile["recorded"]["identity"]["principalId"], PRINCIPAL);
    let step = &profile["plan"]["steps"][0];
    let id = step["assignment"].as_str().unwrap();
    assert!(id.ends_with("/roleAssignments/r-1"), "{step}");
    assert_eq!(profile["rights"]["lost"].as_array().unwrap().len(), 1);
}

#[test]
fn a_profile_that_is_not_ready_is_planned_from_what_was_made() {
    let mut waiting = made();
    waiting["status"]["roleAssignments"] = json!([waiting["status"]["roleAssignments"][1]]);
    waiting["status"]["conditions"][0]["status"] = json!("False");
    waiting["status"]["conditions"][0]["message"] = json!("Azure is away");
    let ran = Cluster::with(vec![waiting]).plan(&[("checkout.yaml", PROFILE)], &[]);
    planned(
        &ran,
        &[
            "gains read on all secrets of vault v",
            "in the cluster the profile is not ready: Azure is away",
            "2 changes",
        ],
    );
    let mut new = made();
    new["status"] = json!({"observedGeneration": -1});
    let ran = Cluster::with(vec![new]).plan(&[("checkout.yaml", PROFILE)], &[]);
    planned(
        &ran,
        &["create identity", "the operator has not looked at it yet"],
    );
}

#[test]
fn only_what_is_pruned_is_deleted() {
    let mut other = made();
    other["metadata"]["name"] = json!("other");
    let mut pruned = made();
    pruned["metadata"]["name"] = json!("pruned");
    pruned["metadata"]["labels"] = json!({"kustomize.toolkit.fluxcd.io/name": "apps",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
    let mut kept = pruned.clone();
    kept["metadata"]["name"] = json!("kept");
    kept["metadata"]["annotations"] = json!({"kustomize.toolkit.fluxcd.io/prune": "disabled"});
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
                metadata: {name: apps, namespace: flux-system}\n\
                spec: {path: ./apps, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}\n";
    let files = [("flux/apps.yaml", flux), ("apps/checkout.yaml", PROFILE)];
    let cluster = Cluster::with(vec![made(), other, pruned, kept]);
    let ran = cluster.plan(&files, &[]);
    planned(
        &ran,
        &[
            "Profile payments/pruned, class standard, deleted",
            "payments/pruned loses read on all secrets of vault v",
            "2 profiles of the cluster, payments/kept among them, are not in these files and stay as they are",
        ],
    );
    assert!(!ran.out.contains("payments/other,"), "{}", ran.out);
    let ran = cluster.plan(&files, &["--prune"]);
    planned(
        &ran,
        &[
            "Profile payments/kept, class standard, deleted",
            "Profile payments/other, class standard, deleted",
        ],
    );
    assert!(!ran.out.contains("in these files"), "{}", ran.out);
    // A Kustomization that deletes nothing.
    let keeping = flux.replace("prune: true", "prune: false");
    let files = [("flux/apps.yaml", keeping.as_str()), files[1]];
    let ran = cluster.plan(&files, &[]);
    planned(&ran, &["3 profiles of the cluster"]);
}

#[test]
fn labels_of_namespaces_come_from_the_cluster() {
    let profile = PROFILE.replace("namespace: payments", "namespace: shop");
    let namespace = json!({"metadata": {"name": "shop", "labels": {"podid": "allowed"}}});
    let lists = |namespaces| {
        BTreeMap::from([
            ("podidentityclasses", Ok(vec![])),
            ("podidentityprofiles", Ok(vec![])),
            ("namespaces", namespaces),
        ])
    };
    let files = [("class.yaml", CLASS), ("checkout.yaml", &profile)];
    let ran = Cluster::new(lists(Ok(vec![namespace]))).plan(&files, &[]);
    planned(
        &ran,
        &["assuming that Azure holds nothing of this profile yet"],
    );
    let ran = Cluster::new(lists(Err(403))).plan(&files, &[]);
    assert_eq!(ran.exit, Exit::Violations, "{ran:?}");
    let words = "note the cluster does not list its namespaces";
    assert!(ran.out.contains(words), "{}", ran.out);
}

#[test]
fn a_cluster_without_podid_has_nothing() {
    let cluster = Cluster::new(BTreeMap::from([("namespaces", Ok(vec![]))]));
    let files = [("class.yaml", CLASS), ("checkout.yaml", PROFILE)];
    let ran = cluster.plan(&files, &[]);
    planned(
        &ran,
        &[
            "1. create identity",
            "the cluster has no podidentityprofiles: podid is not installed there",
        ],
    );
}

#[test]
fn whoever_sees_one_namespace_compares_with_that() {
    let lists = |own| {
        BTreeMap::from([
            ("podidentityclasses", Err(403)),
            ("podidentityprofiles", Err(403)),
            ("namespaces", Err(403)),
            ("payments/podidentityprofiles", own),
        ])
    };
    let files = [("checkout.yaml", PROFILE), ("class.yaml", CLASS)];
    let ran = Cluster::new(lists(Ok(vec![made()]))).plan(&files, &[]);
    planned(
        &ran,
        &[
            "gains the role Payments Auditor on subscription s",
            "1 change\n",
            "note you may not list the profiles of all namespaces; only those of payments are compared with",
            "note the cluster does not let you list its podidentityclasses; those of the files",
        ],
    );
    let ran = Cluster::new(lists(Err(403))).plan(&files, &[]);
    assert_eq!((ran.exit, ran.out.as_str()), (Exit::Failed, ""), "{ran:?}");
    let words = "the cluster does not list its podidentityprofiles; the role view in the namespace allows it";
    assert!(ran.err.contains(words), "{}", ran.err);
}

#[test]
fn a_cluster_that_cannot_be_read_is_named_with_what_helps() {
    for (code, words) in [
        (
            401,
            "the cluster does not list its podidentityclasses; log in again",
        ),
        (500, "check the address in the kubeconfig"),
    ] {
        let cluster = Cluster::new(BTreeMap::from([("podidentityclasses", Err(code))]));
        let ran = cluster.plan(&[("checkout.yaml", PROFILE)], &[]);
        assert_eq!((ran.exit, ran.out.as_str()), (Exit::Failed, ""), "{ran:?}");
        assert!(ran.err.contains(words), "{words:?} is not in: {}", ran.err);
    }
    let cluster = Cluster::with(vec![]);
    for (flags, words) in [
        (
            &["--live", "--kubeconfig", "/no/such/config"][..],
            "the kubeconfig cannot be used",
        ),
        (&["--prune"], "--live"),
        (&["--context", "x"], "--live"),
    ] {
        let tree = folder(&[("class.yaml", CLASS)]);
        let ran = podid(&[&["plan", tree.path().to_str().unwrap()], flags].concat());
        assert_eq!((ran.exit, ran.out.as_str()), (Exit::Failed, ""), "{ran:?}");
        assert!(ran.err.contains(words), "{words:?} is not in: {}", ran.err);
    }
    let many = [
        ("clusters/a/class.yaml", CLASS),
        ("clusters/b/class.yaml", CLASS),
    ];
    let ran = cluster.plan(&many, &[]);
    assert_eq!(ran.exit, Exit::Failed);
    let words = "--live compares with one cluster, and this is a plan of 2; name the folder of one, as clusters/a";
    assert!(ran.err.contains(words), "{}", ran.err);
    let tree = crate::fixture::Tree::with(&[("class.yaml", CLASS)]);
    let ran = tree.podid(&["plan", "HEAD..HEAD", "--live"]);
    assert!(
        ran.err
            .contains("--live takes the place of the older version"),
        "{ran:?}"
    );
    assert_eq!(cluster.calls(), 0);
}

/// The class takes away what it does not allow any more, and the plan says so before that.
#[test]
fn what_a_narrower_class_takes_away_is_planned() {
    let narrow = CLASS.replace("Key Vault Secrets User", "Key Vault Reader");
    assert_ne!(narrow, CLASS);
    let revokes = narrow.replace("  limits:\n", "  limits:\n    onNarrowing: Revoke\n");
    assert_ne!(revokes, narrow);
    let profile = serde_saphyr::to_string(&{
        let mut profile = made();
        profile.as_object_mut().unwrap().remove("status");
        profile
    })
    .unwrap();
    let plan = |class: &str, flags: &[&str]| {
        let files = [("class.yaml", class), ("profile.yaml", profile.as_str())];
        let flags = [&["--namespace-label=podid=allowed"], flags].concat();
        let ran = Cluster::with(vec![made()]).plan(&files, &flags);
        assert_eq!(ran.exit, Exit::Violations, "{ran:?}");
        ran.out
    };
    let kept = plan(&narrow, &[]);
    let left_alone = "the profile would be Stalled, and Azure left alone";
    assert!(
        kept.contains(left_alone) && !kept.contains("revoke"),
        "{kept}"
    );
    let taken = plan(&revokes, &[]);
    for words in [
        "podid takes away what the class does not allow (limits.onNarrowing: Revoke)",
        "payments/checkout loses read on all secrets of vault v",
        &format!("1. revoke Key Vault Secrets User on {VAULT}"),
        "1 change",
        "Azure subscription s: ",
    ] {
        assert!(taken.contains(words), "{words:?} is not in: {taken}");
    }
    let json: Value = serde_json::from_str(&plan(&revokes, &["-o", "json"])).unwrap();
    let planned = &json["profiles"][0];
    assert_eq!(planned["plan"], Value::Null, "the profile is refused");
    assert_eq!(
        planned["withdrawal"]["steps"][0]["assignment"],
        made()["status"]["roleAssignments"][0]["id"]
    );
}
