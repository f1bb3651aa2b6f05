use std::path::PathBuf;

use podid::Exit;
use tempfile::TempDir;

use crate::fixture::{Ran, podid};

pub(crate) const CLASS: &str = "\
apiVersion: podid.dev/v1alpha1
kind: PodIdentityClass
metadata: {name: standard}
spec:
  clusterName: prod-1
  tenantId: 11111111-2222-3333-4444-555555555555
  subscriptionId: 99999999-2222-3333-4444-555555555555
  resourceGroup: identities
  location: westeurope
  nodeResourceGroup: MC_prod
  nodeGrants: {principalId: 77777777-2222-3333-4444-555555555555}
  limits:
    namespaces: {names: [payments], matchLabels: {podid: allowed}}
    access:
      - role: Key Vault Secrets User
        scopes: [/subscriptions/s/resourceGroups/vaults]
      - role: Payments Auditor
        scopes: [/subscriptions/s]
";

pub(crate) const PROFILE: &str = "\
apiVersion: podid.dev/v1alpha1
kind: PodIdentityProfile
metadata: {name: checkout, namespace: payments}
spec:
  className: standard
  access:
    - role: Key Vault Secrets User
      scope: /subscriptions/s/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/v
    - role: Payments Auditor
      scope: /subscriptions/s
";

struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self {
            folder: TempDir::new().unwrap(),
        };
        files.put("class.yaml", CLASS);
        files
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Plans this text next to the class, with further flags.
    fn plan(&self, text: &str, flags: &[&str]) -> Ran {
        let (file, class) = (
            self.put("profile.yaml", text),
            self.folder.path().join("class.yaml"),
        );
        let base = [
            "plan",
            file.to_str().unwrap(),
            "--class-file",
            class.to_str().unwrap(),
        ];
        podid(&[&base, flags].concat())
    }
}

#[test]
fn a_fresh_profile_in_words() {
    let files = Files::new();
    let ran = files.plan(PROFILE, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Changes, ""));
    let folder = files.folder.path().display().to_string();
    insta::assert_snapshot!(ran.out.replace(&folder, "DIR"));
}

#[test]
fn a_scope_by_name_is_planned_where_the_class_says() {
    let (vault, group) = (
        "/subscriptions/s/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/v",
        "/subscriptions/s/resourceGroups/other",
    );
    let scopes = |id: &str| format!("  scopes: [{{name: secrets, id: {id}}}]\n  limits:\n");
    let files = Files::new();
    let by_id = files.plan(PROFILE, &[]);
    files.put("class.yaml", &CLASS.replace("  limits:\n", &scopes(vault)));
    let by_name = files.plan(&PROFILE.replace(vault, "secrets"), &[]);
    assert_eq!((by_name.exit, &by_name.out), (Exit::Changes, &by_id.out));

    let unknown = files.plan(&PROFILE.replace(vault, "secret"), &[]);
    assert_eq!(unknown.exit, Exit::Violations, "{unknown:?}");
    let words = "\"secret\" is not a scope that its class names (it names secrets)";
    assert!(unknown.out.contains(words), "{}", unknown.out);

    files.put("class.yaml", &CLASS.replace("  limits:\n", &scopes(group)));
    let beyond = files.plan(&PROFILE.replace(vault, "secrets"), &[]);
    assert_eq!(beyond.exit, Exit::Violations, "{beyond:?}");
    let words = format!("\"secrets\" names {group}, which is not at or below a scope");
    assert!(beyond.out.contains(&words), "{}", beyond.out);
}

#[test]
fn for_programs_the_same_as_data() {
    let files = Files::new();
    let json = files.plan(PROFILE, &["-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        json["profiles"][0]["plan"]["steps"][0]["step"],
        "CreateIdentity"
    );
    let changes = json["profiles"][0]["changes"].as_array().unwrap();
    assert_eq!(
        changes.len(),
        json["profiles"][0]["plan"]["steps"]
            .as_array()
            .unwrap()
            .len()
    );
    let yaml = files.plan(PROFILE, &["-o", "yaml"]);
    assert_eq!(
        serde_saphyr::from_str::<serde_json::Value>(&yaml.out).unwrap(),
        json
    );
}

#[test]
fn what_the_class_does_not_allow_is_refused_with_the_field() {
    let text = PROFILE.replace("Payments Auditor", "Owner");
    let ran = Files::new().plan(&text, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Violations, ""));
    assert!(
        ran.out.contains("refused spec.access[1].role"),
        "{}",
        ran.out
    );
}

#[test]
fn an_adopted_identity_is_assumed_to_exist() {
    let id = "/subscriptions/99999999-2222-3333-4444-555555555555/resourceGroups/identities/providers/Microsoft.ManagedIdentity/userAssignedIdentities/legacy";
    let text = format!("{PROFILE}  identity: {{resourceId: {id}}}\n");
    let ran = Files::new().plan(&text, &[]);
    assert_eq!(ran.exit, Exit::Changes, "{ran:?}");
    assert!(
        ran.out.contains("assuming that identity legacy exists"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("1. adopt existing identity legacy"),
        "{}",
        ran.out
    );
}

#[test]
fn namespaces_can_be_named_and_labelled_from_outside() {
    let files = Files::new();
    let text = PROFILE.replace(", namespace: payments", "");
    assert_eq!(
        files.plan(&text, &[]).exit,
        Exit::Violations,
        "default is not in the class"
    );
    assert_eq!(files.plan(&text, &["-n", "payments"]).exit, Exit::Changes);
    let labelled = ["--namespace-label", "podid=allowed"];
    assert_eq!(files.plan(&text, &labelled).exit, Exit::Changes);
}

#[test]
fn a_namespace_that_its_labels_would_admit_is_told_the_flags_for_them() {
    let files = Files::new();
    let labels = "matchLabels: {podid: allowed, example.com/team: checkout}";
    files.put(
        "class.yaml",
        &CLASS.replace("matchLabels: {podid: allowed}", labels),
    );
    let text = PROFILE.replace("namespace: payments", "namespace: shop");
    let ran = files.plan(&text, &[]);
    assert_eq!(ran.exit, Exit::Violations, "{ran:?}");
    let flags = "--namespace-label example.com/team=checkout --namespace-label podid=allowed";
    for words in [
        "refused metadata.namespace",
        "if namespace shop has them",
        flags,
    ] {
        assert!(ran.out.contains(words), "{words:?} is not in: {}", ran.out);
    }
    let json = files.plan(&text, &["-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let note = json["profiles"][0]["notes"][0].as_str().unwrap();
    assert!(note.ends_with(flags), "{note}");

    // What is said already, or said wrong, is told apart.
    let one = [
        "--namespace-label",
        "podid=allowed",
        "--namespace-label",
        "example.com/team=x",
    ];
    let ran = files.plan(&text, &one);
    assert!(
        ran.out
            .contains("add --namespace-label example.com/team=checkout\n"),
        "{}",
        ran.out
    );

    // The flags do what the note promises.
    let flags: Vec<&str> = flags.split(' ').collect();
    let ran = files.plan(&text, &flags);
    assert_eq!(ran.exit, Exit::Changes, "{ran:?}");
    assert!(!ran.out.contains("note"), "{}", ran.out);

    // A class that names its namespaces has no use for labels.
    files.put(
        "class.yaml",
        &CLASS.replace(", matchLabels: {podid: allowed}", ""),
    );
    let ran = files.plan(&text, &[]);
    assert_eq!(ran.exit, Exit::Violations, "{ran:?}");
    assert!(!ran.out.contains("--namespace-label"), "{}", ran.out);
}

#[test]
fn a_role_that_is_a_slip_of_the_hand_is_noted_and_a_custom_one_is_not() {
    let files = Files::new();
    let ran = files.plan(&PROFILE.replace("Secrets User", "Secret User"), &[]);
    let note = "note spec.access[0].role: podid knows no role \"Key Vault Secret User\"; did you mean \
                \"Key Vault Secrets User\"?";
    assert_eq!(ran.exit, Exit::Violations, "{ran:?}");
    assert!(ran.out.contains(note), "{}", ran.out);

    files.put("class.yaml", &CLASS.replace("Secrets User", "Secret User"));
    let ran = files.plan(PROFILE, &[]);
    let of_class = "note class standard: spec.limits.access[0].role: podid knows no role";
    assert!(ran.out.contains(of_class), "{}", ran.out);
    assert!(
        !ran.out.contains("\"Payments Auditor\"; did you mean"),
        "{}",
        ran.out
    );
}

#[test]
fn a_bare_off_is_refused_with_the_words_that_are_taken() {
    for bare in ["Off", "off", "OFF", "No", "false"] {
        let text = PROFILE.replace("standard", &format!("standard\n  netRaw: {bare}"));
        let ran = Files::new().plan(&text, &[]);
        let words = "spec.netRaw: must be one of Enforce, Audit, Ignore, not false";
        assert!(
            ran.exit == Exit::Failed && ran.err.contains(words),
            "{bare}: {ran:?}"
        );
    }
    for quoted in ["Off", "ignore"] {
        let text = PROFILE.replace("standard", &format!("standard\n  netRaw: '{quoted}'"));
        let ran = Files::new().plan(&text, &[]);
        let words = format!("must be one of Enforce, Audit, Ignore, not \"{quoted}\"");
        assert!(
            ran.exit == Exit::Failed && ran.err.contains(&words),
            "{quoted}: {ran:?}"
        );
    }
    // The word itself needs no quotes: it reaches the class's limit.
    let text = PROFILE.replace("standard", "standard\n  netRaw: Ignore");
    let ran = Files::new().plan(&text, &[]);
    assert_eq!(ran.exit, Exit::Violations, "{ran:?}");
    assert!(
        ran.out.contains("spec.netRaw: \"Ignore\" loosens"),
        "{}",
        ran.out
    );
}

#[test]
fn one_file_may_hold_it_all_and_more() {
    let other = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: payments}\n";
    let second = PROFILE.replace("name: checkout", "name: refunds");
    let files = Files::new();
    let file = files.put("all.yaml", &[CLASS, PROFILE, other, &second].join("---\n"));
    let ran = podid(&["plan", file.to_str().unwrap()]);
    assert_eq!(ran.exit, Exit::Changes, "{ran:?}");
    for words in [
        "payments/checkout",
        "payments/refunds",
        "Service payments/web is not planned",
    ] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
}

#[test]
fn a_suspended_profile_changes_nothing_and_an_observed_one_is_left_to_a_person() {
    let suspended = Files::new().plan(&format!("{PROFILE}  suspend: true\n"), &[]);
    assert_eq!(suspended.exit, Exit::Done, "{suspended:?}");
    assert!(
        suspended.out.contains("spec.suspend is true"),
        "{suspended:?}"
    );
    assert!(suspended.out.contains("nothing to do"), "{suspended:?}");

    let observed = Files::new().plan(&format!("{PROFILE}  drift: Observe\n"), &[]);
    assert_eq!(observed.exit, Exit::Changes, "{observed:?}");
    assert!(
        observed.out.contains("spec.drift is Observe"),
        "{observed:?}"
    );
}

#[test]
fn a_class_alone_changes_nothing() {
    let files = Files::new();
    let ran = podid(&[
        "plan",
        files.folder.path().join("class.yaml").to_str().unwrap(),
    ]);
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
}

#[test]
fn what_cannot_be_planned_says_why() {
    let files = Files::new();
    let table = [
        (
            PROFILE.replace("className: standard", "className: gold"),
            "class gold of profile",
        ),
        (
            PROFILE.replace("className:", "clasName:"),
            "spec.clasName: unknown field, on which Flux and `kubectl apply` fail; did you mean className?",
        ),
        (
            PROFILE.replace("standard", "standard\n  interval: 10"),
            "quote it",
        ),
        ("a: [".to_owned(), "is not YAML"),
        ("a: 1\na: 2\n".to_owned(), "is not YAML"),
        (String::new(), "holds no profile and no class"),
        ("kind: Pod\n".to_owned(), "holds no profile and no class"),
    ];
    for (text, words) in table {
        let ran = files.plan(&text, &[]);
        assert!(
            ran.exit == Exit::Failed && ran.err.contains(words),
            "{words}: {ran:?}"
        );
    }
    let ran = podid(&["plan", "no/such/file.yaml"]);
    assert!(
        ran.exit == Exit::Failed && ran.err.contains("cannot be read"),
        "{ran:?}"
    );
}
