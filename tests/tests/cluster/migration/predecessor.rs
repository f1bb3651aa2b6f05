//! aad-pod-identity in a cluster, and its objects.

use podid_tests::kubectl::Kubectl;
use serde_json::{Value, json};

use super::{CLIENT, TEAM, resource_id};

/// The finalizer of aad-pod-identity since its version 1.6.1.
const FINALIZER: &str = "azureassignedidentity.finalizers.aadpodidentity.k8s.io";

/// aad-pod-identity as its chart installs it, and what people wrote.
pub(super) fn is_installed(kubectl: &Kubectl<'_>) {
    let kinds = [
        "AzureIdentity",
        "AzureIdentityBinding",
        "AzureAssignedIdentity",
        "AzurePodIdentityException",
    ];
    for kind in kinds {
        kubectl.apply(&old_kind(kind));
    }
    kubectl.run(&[
        "wait",
        "crd",
        "--all",
        "--for=condition=Established",
        "--timeout=60s",
    ]);
    kubectl.run(&["create", "namespace", TEAM]);
    for (name, kind) in [("mic", "Deployment"), ("nmi", "DaemonSet")] {
        let name = format!("aad-pod-identity-{name}");
        kubectl.apply(&workload(kind, &name));
        kubectl.run(&["create", "serviceaccount", &name]);
        kubectl.run(&[
            "create",
            "clusterrole",
            &name,
            "--verb=get",
            "--resource=pods",
        ]);
        kubectl.run(&[
            "create",
            "clusterrolebinding",
            &name,
            &format!("--clusterrole={name}"),
        ]);
    }
    kubectl.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.aad-pod-identity.v1",
            "labels": {"owner": "helm", "name": "aad-pod-identity"}},
    }));
    let of = |kind: &str, namespace: &str, name: &str, spec: Value| {
        json!({"apiVersion": "aadpodidentity.k8s.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": namespace}, "spec": spec})
    };
    let identity = json!({"type": 0, "resourceID": resource_id(), "clientID": CLIENT});
    kubectl.apply(&of("AzureIdentity", TEAM, "reports", identity));
    kubectl.apply(&of(
        "AzureIdentity",
        TEAM,
        "sp",
        json!({"type": 1, "clientID": CLIENT}),
    ));
    let binding = json!({"azureIdentity": "reports", "selector": "reports"});
    kubectl.apply(&of("AzureIdentityBinding", TEAM, "reports", binding));
    let labels = json!({"podLabels": {"kubernetes.azure.com/managedby": "aks"}});
    kubectl.apply(&of(
        "AzurePodIdentityException",
        "kube-system",
        "aks-addon-exception",
        labels,
    ));
    let spec = json!({"pod": "web", "podNamespace": TEAM, "nodename": "node-0"});
    let mut assigned = of(
        "AzureAssignedIdentity",
        "default",
        "web-payments-reports",
        spec,
    );
    assigned["metadata"]["finalizers"] = json!([FINALIZER]);
    kubectl.apply(&assigned);
    kubectl.apply(&web());
}

/// A kind as aad-pod-identity defined it, as far as it matters here.
fn old_kind(kind: &str) -> Value {
    let singular = kind.to_lowercase();
    let plural = match singular.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{singular}s"),
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.aadpodidentity.k8s.io"),
            "annotations": {"api-approved.kubernetes.io": "unapproved"},
        },
        "spec": {
            "group": "aadpodidentity.k8s.io",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    })
}

fn workload(kind: &str, name: &str) -> Value {
    let labels = json!({"app": name});
    let mut workload = json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "registry.example.com/old:1"}]},
            },
        },
    });
    if kind == "Deployment" {
        workload["spec"]["replicas"] = 2.into();
    }
    workload
}

/// A pod of the team, which drops NET_RAW.
fn web() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": TEAM, "labels": {"aadpodidbinding": "reports"}},
        "spec": {"containers": [{
            "name": "app",
            "image": "registry.example.com/app:1",
            "securityContext": {"capabilities": {"drop": ["NET_RAW"]}},
        }]},
    })
}

/// Every object of the old kinds, as `KIND NAMESPACE NAME`, sorted. Names of podid's own end with a digest.
pub(super) fn objects_left(kubectl: &Kubectl<'_>) -> Vec<String> {
    let kinds =
        "azureidentities,azureidentitybindings,azureassignedidentities,azurepodidentityexceptions";
    let all = kubectl.json(&["get", kinds, "--all-namespaces"]);
    let mut left: Vec<String> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (kind, namespace) = (text(&one["kind"]), text(&one["metadata"]["namespace"]));
            match kind == "AzureAssignedIdentity" && namespace != "default" {
                true => format!("{kind} {namespace}"),
                false => format!("{kind} {namespace} {}", text(&one["metadata"]["name"])),
            }
        })
        .collect();
    left.sort();
    left
}
