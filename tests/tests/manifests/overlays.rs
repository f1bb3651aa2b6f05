//! The overlays and components as kustomize builds them, alone and with a team's profile.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use podid_tests::manifests::{kubectl_kustomize, kustomize};
use podid_tests::programs::repository;
use serde_json::{Value, json};

use crate::overlay::Overlay;

const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "production"];

/// Fields that kustomize reads for old files only.
const OLD_FIELDS: [&str; 6] = [
    "bases",
    "commonLabels",
    "imageTags",
    "patchesJson6902",
    "patchesStrategicMerge",
    "vars",
];

/// A team's profile. Its scope has a subscription that is of no environment.
const PROFILE: &str = "\
apiVersion: podid.dev/v1alpha1
kind: PodIdentityProfile
metadata:
  name: checkout
  namespace: payments
spec:
  className: standard
  access:
    - role: Key Vault Secrets User
      scope: /subscriptions/SUBSCRIPTION/resourceGroups/payments
";

/// Every file `kustomization.yaml` below a folder.
fn kustomizations(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            kustomizations(&path, found);
        } else if path.ends_with("kustomization.yaml") {
            found.push(path);
        }
    }
}

#[test]
fn no_kustomization_has_an_old_field() {
    let mut files = Vec::new();
    kustomizations(&repository().join("kustomize"), &mut files);
    kustomizations(&repository().join("crds"), &mut files);
    assert!(files.len() > 15, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let kustomization: Value = serde_saphyr::from_str(&text).unwrap();
        for field in OLD_FIELDS {
            assert_eq!(kustomization.get(field), None, "{}", file.display());
        }
    }
}

#[test]
fn kubectl_and_kustomize_build_the_same() {
    let overlays = ENVIRONMENTS.map(|name| format!("overlays/{name}"));
    let others = ["base", "cluster", "lab"].map(str::to_owned);
    for folder in overlays.iter().chain(&others) {
        let folder = format!("kustomize/{folder}");
        let built = kustomize(&folder).unwrap();
        assert_eq!(built, kubectl_kustomize(&folder).unwrap(), "{folder}");
        assert!(!built.is_empty());
    }
}

/// The one object of a kind in an overlay.
fn one(objects: &[Value], kind: &str, name: &str) -> Value {
    let named = |object: &&Value| {
        let found = object["metadata"]["name"].as_str().unwrap();
        object["kind"] == kind && found.starts_with(name)
    };
    let found: Vec<&Value> = objects.iter().filter(named).collect();
    assert_eq!(found.len(), 1, "{kind} {name}");
    found[0].clone()
}

#[test]
fn the_operator_gets_tenant_and_cloud_of_the_class() {
    let mut settings = Vec::new();
    for environment in ENVIRONMENTS {
        let resources = format!("resources: [KUSTOMIZE/overlays/{environment}]");
        let objects = Overlay::new(&resources).objects();
        let class = one(&objects, "PodIdentityClass", "standard");
        let map = one(&objects, "ConfigMap", "podid-operator-");
        assert_eq!(map["data"]["PODID_TENANT_ID"], class["spec"]["tenantId"]);
        assert_eq!(map["data"]["PODID_CLOUD"], class["spec"]["cloud"]);
        let deployment = one(&objects, "Deployment", "podid-operator");
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let read = &container["envFrom"][0]["configMapRef"]["name"];
        assert_eq!(*read, map["metadata"]["name"]);
        settings.push(read.clone());
    }
    settings.dedup();
    // A ConfigMap by another name, so that a changed fact replaces the pods.
    assert_eq!(settings.len(), ENVIRONMENTS.len());
}

/// What `podid plan` says of the objects of an overlay, and its exit code.
fn plan(objects: &[Value]) -> (String, u8) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.yaml");
    let documents = objects.iter().map(Value::to_string);
    fs::write(&file, documents.collect::<Vec<_>>().join("\n---\n")).unwrap();
    let arguments = [
        OsString::from("podid"),
        "plan".into(),
        file.into(),
        "--namespace-label=podid.dev/profiles=allowed".into(),
    ];
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = podid::run(arguments, &mut out, &mut err);
    let said = [out, err].concat();
    (String::from_utf8_lossy(&said).into_owned(), exit as u8)
}

#[test]
fn one_profile_is_valid_in_every_environment() {
    for environment in ENVIRONMENTS {
        let overlay = Overlay::new(&format!(
            "resources: [KUSTOMIZE/overlays/{environment}, profile.yaml]\n\
             components: [KUSTOMIZE/components/profile-subscription]"
        ));
        overlay.add("profile.yaml", PROFILE);
        let objects = overlay.objects();
        let class = one(&objects, "PodIdentityClass", "standard");
        let subscription = class["spec"]["subscriptionId"].as_str().unwrap();
        let (said, exit) = plan(&objects);
        // 2: there is something to do, and nothing that the class refuses.
        assert_eq!(exit, 2, "{environment}: {said}");
        assert!(said.contains(subscription), "{environment}: {said}");
    }
}

#[test]
fn a_profile_of_another_environments_subscription_is_refused() {
    let overlay = Overlay::new("resources: [KUSTOMIZE/overlays/dev, profile.yaml]");
    let foreign = "00000000-0000-4000-8000-000000000999";
    overlay.add("profile.yaml", &PROFILE.replace("SUBSCRIPTION", foreign));
    let (said, exit) = plan(&overlay.objects());
    assert_eq!(exit, 3, "{said}");
}

#[test]
fn components_change_the_limits_of_the_class_and_nothing_else() {
    for (component, limit, value) in [
        ("kubenet", "allowNetRaw", false),
        ("adopt-aad-pod-identity", "allowHandWritten", true),
    ] {
        let resources = "resources: [KUSTOMIZE/overlays/dev]";
        let before = Overlay::new(resources).objects();
        let components = format!("components: [KUSTOMIZE/components/{component}]");
        let after = Overlay::new(&format!("{resources}\n{components}")).objects();
        let mut expected = one(&before, "PodIdentityClass", "standard");
        expected["spec"]["limits"][limit] = json!(value);
        assert_eq!(one(&after, "PodIdentityClass", "standard"), expected);
        let others = |objects: &[Value]| {
            let others = objects
                .iter()
                .filter(|object| object["kind"] != "PodIdentityClass");
            others.cloned().collect::<Vec<_>>()
        };
        assert_eq!(others(&before), others(&after));
    }
}

/// Beside [`PROFILE`], an overlay that patches it and puts a prefix before all names.
fn renamed(components: &str) -> Vec<Value> {
    let overlay = Overlay::new(&format!(
        "resources: [profile.yaml, others.yaml]\n\
         namePrefix: team-\n\
         patches: [{{path: patch.yaml}}]\n\
         {components}"
    ));
    overlay.add("profile.yaml", PROFILE);
    overlay.add(
        "others.yaml",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web, namespace: payments}\n---\n\
         apiVersion: podid.dev/v1alpha1\nkind: PodIdentityClass\nmetadata: {name: standard}\n---\n\
         apiVersion: aadpodidentity.k8s.io/v1\nkind: AzureIdentity\nmetadata: {name: old, namespace: payments}\n---\n\
         apiVersion: aadpodidentity.k8s.io/v1\nkind: AzureIdentityBinding\nmetadata: {name: old, namespace: payments}\n\
         spec: {azureIdentity: old, selector: old}\n",
    );
    overlay.add(
        "patch.yaml",
        "apiVersion: podid.dev/v1alpha1\nkind: PodIdentityProfile\n\
         metadata: {name: checkout, namespace: payments}\n\
         spec:\n  binding: {serviceAccounts: [web]}\n  access:\n  \
         - {role: Key Vault Secrets User, scope: /subscriptions/SUBSCRIPTION/resourceGroups/other}\n",
    );
    overlay.objects()
}

#[test]
fn with_the_component_a_patch_adds_access_and_new_names_are_followed() {
    let objects = renamed("components: [KUSTOMIZE/components/profile-fields]");
    let profile = one(&objects, "PodIdentityProfile", "team-checkout");
    assert_eq!(profile["spec"]["className"], "team-standard");
    assert_eq!(
        profile["spec"]["binding"]["serviceAccounts"],
        json!(["team-web"])
    );
    let access = profile["spec"]["access"].as_array().unwrap();
    let mut scopes: Vec<&str> = access
        .iter()
        .map(|right| right["scope"].as_str().unwrap())
        .collect();
    scopes.sort_unstable();
    assert_eq!(
        scopes,
        [
            "/subscriptions/SUBSCRIPTION/resourceGroups/other",
            "/subscriptions/SUBSCRIPTION/resourceGroups/payments"
        ]
    );
    let binding = one(&objects, "AzureIdentityBinding", "team-old");
    assert_eq!(binding["spec"]["azureIdentity"], "team-old");
}

#[test]
fn without_the_component_kustomize_knows_none_of_that() {
    let profile = one(&renamed(""), "PodIdentityProfile", "team-checkout");
    assert_eq!(profile["spec"]["className"], "standard");
    assert_eq!(profile["spec"]["access"].as_array().unwrap().len(), 1);
}
