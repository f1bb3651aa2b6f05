//! The identities of an old values file, as AzureIdentity and AzureIdentityBinding objects.

use serde_json::{Value, json};

/// API version of both kinds.
const API_VERSION: &str = "aadpodidentity.k8s.io/v1";

/// Objects, and what there is to say, by the path of an old value.
#[derive(Debug, Default)]
pub(super) struct Migrated {
    pub(super) objects: Vec<Value>,
    pub(super) notes: Vec<(String, String)>,
}

/// Fields of an entry that are read here.
const KNOWN: [&str; 9] = [
    "name",
    "namespace",
    "type",
    "resourceID",
    "clientID",
    "tenantID",
    "clientPassword",
    "auxiliaryTenantIDs",
    "binding",
];

/// Migrates a mapping of identities by name, or a list of them.
pub(super) fn migrate(identities: &Value) -> Migrated {
    let mut migrated = Migrated::default();
    for (name, identity) in identities.as_object().into_iter().flatten() {
        migrated.add(
            &format!("azureIdentities[\"{name}\"]"),
            Some(name),
            identity,
        );
    }
    for (at, identity) in identities.as_array().into_iter().flatten().enumerate() {
        migrated.add(&format!("azureIdentities[{at}]"), None, identity);
    }
    migrated
}

impl Migrated {
    fn add(&mut self, path: &str, key: Option<&str>, identity: &Value) {
        for (name, _) in identity.as_object().into_iter().flatten() {
            if !KNOWN.contains(&name.as_str()) {
                let why = "it is no field of an identity in aad-pod-identity's chart";
                self.note(&format!("{path}.{name}"), why);
            }
        }
        let Some(name) = text(identity, "name").or(key) else {
            return self.note(path, "the identity has no name, so no object is made of it");
        };
        if kind(identity) != 0 {
            let why = format!(
                "type {} is a service principal, which is not copied; docs/service-principals.md says how podid serves one",
                identity["type"]
            );
            return self.note(&format!("{path}.type"), &why);
        }
        if !identity["clientPassword"].is_null() {
            let why = "a secret is not copied, and a managed identity needs none";
            self.note(&format!("{path}.clientPassword"), why);
        }
        let Some((resource, client)) = text(identity, "resourceID").zip(text(identity, "clientID"))
        else {
            let why =
                "a managed identity needs resourceID and clientID, so no object is made of it";
            return self.note(path, why);
        };
        let namespace = text(identity, "namespace").unwrap_or("default");
        self.objects.push(json!({
            "apiVersion": API_VERSION,
            "kind": "AzureIdentity",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"type": 0, "resourceID": resource, "clientID": client},
        }));
        self.bind(name, namespace, &identity["binding"]);
        let selector = text(&identity["binding"], "selector");
        let selector = selector.map(|it| format!(" --selector {it}"));
        let selector = selector.unwrap_or_default();
        let why = format!(
            "kept as an AzureIdentity (extraObjects); podid manages it when a profile adopts it instead: \
             podid profile create {name}-profile -n {namespace} --class CLASS --resource-id {resource}{selector}"
        );
        self.note(path, &why);
    }

    fn bind(&mut self, name: &str, namespace: &str, binding: &Value) {
        if let Some(selector) = text(binding, "selector") {
            let bound = text(binding, "name").unwrap_or(name);
            self.objects.push(json!({
                "apiVersion": API_VERSION,
                "kind": "AzureIdentityBinding",
                "metadata": {"name": bound, "namespace": namespace},
                "spec": {"azureIdentity": name, "selector": selector},
            }));
        }
    }

    fn note(&mut self, path: &str, why: &str) {
        self.notes.push((path.to_owned(), why.to_owned()));
    }
}

/// A text field that is not empty.
fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object[field].as_str().filter(|text| !text.is_empty())
}

/// The type of an identity: 0 is a managed identity, also where none is given.
fn kind(identity: &Value) -> i64 {
    match &identity["type"] {
        Value::Null => 0,
        Value::String(text) => text.trim().parse().unwrap_or(-1),
        other => other.as_i64().unwrap_or(-1),
    }
}
