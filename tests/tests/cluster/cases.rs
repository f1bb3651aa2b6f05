//! Good and bad objects of the kinds that people write.

use serde_json::{Value, json};

/// An object, and words of the API server's refusal if it is a bad one.
pub(crate) struct Case {
    pub(crate) kind: &'static str,
    /// Beginning of its name.
    pub(crate) name: String,
    pub(crate) spec: Value,
    pub(crate) refused: Option<&'static str>,
}

impl Case {
    /// The same under a name of more than the 63 characters that a label's value may have.
    fn with_a_long_name(self) -> Self {
        Self {
            name: "n".repeat(64),
            ..self
        }
    }
}

fn good(kind: &'static str, spec: Value) -> Case {
    Case {
        kind,
        name: "case".to_owned(),
        spec,
        refused: None,
    }
}

fn bad(kind: &'static str, spec: Value, words: &'static str) -> Case {
    Case {
        kind,
        name: "case".to_owned(),
        spec,
        refused: Some(words),
    }
}

const GUID: &str = "0a1b2c3d-1111-2222-3333-0123456789AB";
const IDENTITY: &str = "/subscriptions/s/resourcegroups/g.1/providers/microsoft.managedidentity/userassignedidentities/n";

/// A minimal profile with further fields.
pub(crate) fn profile(fields: Value) -> Value {
    merged(json!({"className": "standard"}), fields)
}

/// A minimal class with further fields.
pub(crate) fn class(fields: Value) -> Value {
    let minimal = json!({
        "clusterName": "prod-1", "tenantId": GUID, "subscriptionId": GUID,
        "resourceGroup": "identities", "location": "westeurope", "nodeResourceGroup": "MC_prod",
    });
    merged(minimal, fields)
}

fn merged(mut base: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().expect("fields") {
        base[name] = value.clone();
    }
    base
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    [profiles(), classes(), identities(), bindings()]
        .into_iter()
        .flatten()
        .collect()
}

fn profiles() -> Vec<Case> {
    const KIND: &str = "PodIdentityProfile";
    let access = |scope: &str| json!({"access": [{"role": "Reader", "scope": scope}]});
    let identity = |identity: Value| profile(json!({"identity": identity}));
    let selector = |selector: &str| profile(json!({"binding": {"selector": selector}}));
    let interval = |interval: &str| profile(json!({"interval": interval}));
    let grace = |grace: &str| profile(json!({"deletionGracePeriod": grace}));
    let many: Vec<Value> = (0..51)
        .map(|n| json!({"role": "Reader", "scope": format!("/subscriptions/{n}")}))
        .collect();
    let (scope, label) = (
        "access[].scope must be an ARM id",
        "binding.selector must be a valid",
    );
    let duration = "interval must be a duration of at least 1m";
    vec![
        good(KIND, profile(json!({}))),
        good(
            KIND,
            profile(json!({"access": [], "binding": {}, "identity": {}})),
        ),
        good(KIND, profile(access("/Subscriptions/s/resourceGroups/g"))),
        good(KIND, profile(access("payments-vault"))),
        good(KIND, profile(access(&"n".repeat(63)))),
        good(KIND, selector("Check.Out_1-a")),
        good(KIND, interval("1m")),
        good(KIND, interval("1h30m")),
        good(KIND, grace("0s")),
        good(KIND, grace("1h")),
        good(
            KIND,
            identity(json!({"name": "abc", "tags": {"team": "shop"}})),
        ),
        good(
            KIND,
            identity(json!({"resourceId": IDENTITY, "creationPolicy": "Adopt"})),
        ),
        good(
            KIND,
            profile(json!({"netRaw": "Ignore", "drift": "Observe", "backend": "NodeAssigned"})),
        ),
        bad(KIND, json!({}), "spec.className: Required value"),
        bad(KIND, json!({"className": ""}), "spec.className"),
        bad(
            KIND,
            profile(json!({"netRaw": "off"})),
            "spec.netRaw: Unsupported value",
        ),
        bad(KIND, profile(json!({"netRaw": false})), "spec.netRaw"),
        bad(
            KIND,
            profile(json!({"drift": "Ignore"})),
            "spec.drift: Unsupported value",
        ),
        bad(
            KIND,
            profile(json!({"backend": "Federated"})),
            "spec.backend: Unsupported value",
        ),
        bad(KIND, profile(json!({"suspend": "yes"})), "spec.suspend"),
        bad(
            KIND,
            profile(json!({"access": many})),
            "spec.access: Too many",
        ),
        bad(
            KIND,
            profile(json!({"access": [{"role": "Reader"}]})),
            "scope: Required value",
        ),
        bad(KIND, profile(access("My-Group")), scope),
        bad(KIND, profile(access("group/vault")), scope),
        bad(KIND, profile(access("vault-")), scope),
        bad(KIND, profile(access(&"n".repeat(64))), scope),
        bad(KIND, profile(access("/providers/x")), scope),
        bad(
            KIND,
            profile(json!({})),
            "spec.binding.selector is needed where metadata.name is longer",
        )
        .with_a_long_name(),
        good(KIND, selector("short")).with_a_long_name(),
        bad(KIND, selector("-x"), label),
        bad(KIND, selector("a b"), label),
        bad(KIND, interval("59s"), duration),
        bad(KIND, interval("soon"), duration),
        bad(KIND, interval("-5m"), duration),
        bad(KIND, grace("61m"), "deletionGracePeriod must be"),
        bad(KIND, grace("30"), "deletionGracePeriod must be"),
        bad(KIND, identity(json!({"name": "ab"})), "spec.identity.name"),
        bad(
            KIND,
            identity(json!({"name": "_abc"})),
            "identity.name takes letters",
        ),
        bad(
            KIND,
            identity(json!({"resourceId": "/subscriptions/s"})),
            "identity.resourceId must be",
        ),
        bad(
            KIND,
            identity(json!({"resourceId": IDENTITY, "name": "abc"})),
            "exclude each other",
        ),
        bad(
            KIND,
            identity(json!({"resourceId": IDENTITY, "creationPolicy": "Create"})),
            "adopts an existing identity",
        ),
        bad(
            KIND,
            identity(json!({"tags": {"podid-uid": "x"}})),
            "no name starting with podid-",
        ),
        bad(
            KIND,
            identity(json!({"tags": {" podid-uid": "x"}})),
            "with a space at an end",
        ),
        bad(
            KIND,
            identity(json!({"tags": {"t": "x".repeat(257)}})),
            "values up to 256",
        ),
    ]
}

fn classes() -> Vec<Case> {
    const KIND: &str = "PodIdentityClass";
    let access = |scopes: &[&str]| json!({"limits": {"access": [{"role": "R", "scopes": scopes}]}});
    let scopes = |name: &str, id: &str| json!({"scopes": [{"name": name, "id": id}]});
    let groups = |group: &str| json!({"limits": {"identityGroups": [group]}});
    let authorities = |url: &str| json!({"limits": {"servicePrincipals": {"authorities": [url]}}});
    let full = json!({
        "cloud": "AzureChinaCloud",
        "nodeGrants": {"principalId": GUID, "managedIdentityOperator": "None"},
        "limits": {
            "namespaces": {"names": ["*"], "matchLabels": {"a": "b"}},
            "access": [{"role": "Reader", "scopes": ["/subscriptions/s"]}],
            "identityGroups": ["/subscriptions/s/resourcegroups/g"],
            "backends": ["NodeAssigned"], "allowNetRaw": true, "allowHandWritten": true, "allowHostNamespaces": true,
            "onNarrowing": "Revoke",
        },
        "neighbours": {"rule": "Audit", "exceptNamespaces": ["calico-system"]},
    });
    vec![
        good(KIND, class(json!({}))),
        good(KIND, class(full)),
        bad(
            KIND,
            json!({"clusterName": "c"}),
            "spec.tenantId: Required value",
        ),
        bad(
            KIND,
            class(json!({"neighbours": {"rule": "Audit", "exceptNamespaces": ["calico-*"]}})),
            "exceptNamespaces[] must be names of namespaces",
        ),
        bad(
            KIND,
            class(json!({"limits": {"namespaces": {"names": ["team-*"]}}})),
            "namespaces.names[] must be names of namespaces",
        ),
        bad(
            KIND,
            class(json!({"limits": {"onNarrowing": "Delete"}})),
            "spec.limits.onNarrowing: Unsupported value",
        ),
        bad(
            KIND,
            class(json!({"cloud": "AzureGermanCloud"})),
            "spec.cloud: Unsupported value",
        ),
        bad(
            KIND,
            class(json!({"clusterName": "a b"})),
            "clusterName takes letters",
        ),
        bad(
            KIND,
            class(json!({"tenantId": "contoso"})),
            "tenantId must be a GUID",
        ),
        bad(
            KIND,
            class(json!({"subscriptionId": "prod"})),
            "subscriptionId must be a GUID",
        ),
        bad(
            KIND,
            class(json!({"resourceGroup": "a/b"})),
            "resourceGroup must be the name",
        ),
        bad(
            KIND,
            class(json!({"resourceGroup": "a."})),
            "resourceGroup must be the name",
        ),
        bad(
            KIND,
            class(json!({"nodeResourceGroup": "a%2fb"})),
            "nodeResourceGroup must be the",
        ),
        bad(
            KIND,
            class(json!({"location": "West Europe"})),
            "location must be a region's short",
        ),
        bad(
            KIND,
            class(json!({"nodeGrants": {"principalId": "kubelet"}})),
            "nodeGrants.principalId must be a GUID",
        ),
        bad(
            KIND,
            class(access(&["/subscriptions/s", "rg"])),
            "limits.access[].scopes[] must be",
        ),
        bad(KIND, class(access(&[])), "scopes"),
        good(KIND, class(scopes("vault-1", "/Subscriptions/s"))),
        bad(
            KIND,
            class(scopes("Vault", "/subscriptions/s")),
            "scopes[].name takes",
        ),
        bad(
            KIND,
            class(scopes("a.b", "/subscriptions/s")),
            "scopes[].name takes",
        ),
        bad(
            KIND,
            class(scopes("vault", "vault")),
            "scopes[].id must be an ARM id",
        ),
        bad(
            KIND,
            class(json!({"scopes": [
                {"name": "v", "id": "/subscriptions/s"}, {"name": "v", "id": "/subscriptions/t"},
            ]})),
            "spec.scopes[1]: Duplicate value",
        ),
        bad(
            KIND,
            class(groups("/subscriptions/s")),
            "limits.identityGroups[] must be",
        ),
        bad(
            KIND,
            class(groups("/subscriptions/s/resourceGroups/g/x")),
            "limits.identityGroups[]",
        ),
        good(
            KIND,
            class(authorities("https://login.microsoftonline.com")),
        ),
        bad(
            KIND,
            class(authorities("http://login.microsoftonline.com")),
            "limits.servicePrincipals.authorities[] must be",
        ),
        bad(
            KIND,
            class(authorities(
                "https://login.microsoftonline.com@evil.example/x",
            )),
            "limits.servicePrincipals.authorities[]",
        ),
    ]
}

fn identities() -> Vec<Case> {
    const KIND: &str = "AzureIdentity";
    let (kind, resource) = ("type must be 0", "resourceID of a type 0 identity must be");
    let client = "clientID is required and must be a GUID";
    let secret = json!({"name": "s", "namespace": "n"});
    vec![
        good(
            KIND,
            json!({"type": 0, "resourceID": IDENTITY, "clientID": GUID}),
        ),
        good(KIND, json!({"resourceID": IDENTITY, "clientID": GUID})),
        good(
            KIND,
            json!({"type": 0, "ResourceID": IDENTITY, "ClientID": GUID}),
        ),
        good(
            KIND,
            json!({
                "type": 1, "clientID": GUID, "tenantID": GUID, "clientPassword": secret,
                "auxiliaryTenantIDs": [GUID], "adEndpoint": "https://login.microsoftonline.com/",
                "adResourceID": "x", "replicas": 1,
            }),
        ),
        good(
            KIND,
            json!({"type": 2, "ClientID": GUID, "TenantID": GUID, "ClientPassword": secret}),
        ),
        bad(KIND, json!({"type": 7, "clientID": GUID}), kind),
        bad(KIND, json!({"type": "0", "clientID": GUID}), "spec.type"),
        bad(KIND, json!({"type": 0, "clientID": GUID}), resource),
        bad(
            KIND,
            json!({"resourceID": "/subscriptions/s", "clientID": GUID}),
            resource,
        ),
        bad(
            KIND,
            json!({"ResourceID": "my-identity", "ClientID": GUID}),
            resource,
        ),
        bad(KIND, json!({"resourceID": IDENTITY}), client),
        bad(KIND, json!({"type": 1, "clientID": "app"}), client),
        bad(KIND, json!({"type": 1, "ClientID": ""}), client),
    ]
}

fn bindings() -> Vec<Case> {
    const KIND: &str = "AzureIdentityBinding";
    vec![
        good(
            KIND,
            json!({"azureIdentity": "a", "selector": "s", "weight": 3}),
        ),
        good(KIND, json!({"AzureIdentity": "a", "Selector": "s"})),
        bad(KIND, json!({"selector": "s"}), "azureIdentity is required"),
        bad(
            KIND,
            json!({"azureIdentity": "", "selector": "s"}),
            "azureIdentity is required",
        ),
        bad(KIND, json!({"azureIdentity": "a"}), "selector is required"),
        bad(
            KIND,
            json!({"AzureIdentity": "a", "Selector": ""}),
            "selector is required",
        ),
    ]
}
