//! Requests that a thief sends.

use std::fmt;

use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};

use crate::fixture::Space;

/// Namespace of podid.
pub(super) const OWN: &str = "podid-system";
const PODID: &str = "apis/podid.dev/v1alpha1";
const PREDECESSOR: &str = "apis/aadpodidentity.k8s.io/v1";
const ADMISSION: &str = "apis/admissionregistration.k8s.io/v1";
const RBAC: &str = "apis/rbac.authorization.k8s.io/v1";

/// The kinds by which pods get identities.
const BINDING_KINDS: [&str; 4] = [
    "azureidentities",
    "azureidentitybindings",
    "azureassignedidentities",
    "azurepodidentityexceptions",
];

/// One request.
#[derive(Clone)]
pub(super) struct Attempt {
    what: String,
    method: &'static str,
    path: String,
    body: Option<Value>,
    /// Whom it claims to come from, as headers.
    claims: Vec<(&'static str, String)>,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            method,
            path,
            claims,
            ..
        } = self;
        write!(f, "{method} /{path} {what}")?;
        claims
            .iter()
            .try_for_each(|(header, value)| write!(f, " {header}: {value}"))
    }
}

impl Attempt {
    pub(super) fn new(what: &str, method: &'static str, path: String, body: Option<Value>) -> Self {
        let what = what.to_owned();
        Self {
            what,
            method,
            path,
            body,
            claims: Vec::new(),
        }
    }

    /// Whether it claims to come from nobody else.
    pub(super) fn is_in_own_name(&self) -> bool {
        self.claims.is_empty()
    }

    /// The same in somebody else's name.
    pub(super) fn impersonating(self, user: &str) -> Self {
        self.claiming("impersonate-user", user)
    }

    /// The same with another header of impersonation.
    pub(super) fn claiming(mut self, header: &'static str, value: &str) -> Self {
        self.claims.push((header, value.to_owned()));
        self
    }

    /// Status and body of the answer.
    pub(super) async fn answer(&self, thief: &Space) -> (u16, String) {
        let mut request = Request::builder()
            .method(self.method)
            .uri(format!("/{}", self.path));
        let kind = match self.method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        request = request.header("content-type", kind);
        for (header, value) in &self.claims {
            request = request.header(*header, value);
        }
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let request = request.body(Body::from(body.into_bytes())).unwrap();
        let answer = thief.client.send(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// Whether the API server forbids it. Any other failure would only show that the request was a wrong one.
    pub(super) async fn is_refused(&self, thief: &Space) -> bool {
        self.answer(thief).await.0 == 403
    }
}

/// What is there to be stolen in the namespace.
pub(super) async fn furnish(space: &Space) {
    let profile = json!({
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
        "metadata": {"name": "shop"}, "spec": {"className": "none"},
    });
    space
        .create("PodIdentityProfile", profile, false)
        .await
        .unwrap();
}

/// What the rights of the daemon's own account are for, but for the pods.
pub(super) fn daemons_own_reads() -> Vec<Attempt> {
    let kinds = BINDING_KINDS.map(|kind| format!("{PREDECESSOR}/{kind}"));
    let classes = format!("{PODID}/podidentityclasses");
    let paths = kinds.into_iter().chain([classes]);
    paths
        .map(|path| Attempt::new("list", "GET", path, None))
        .collect()
}

/// The pods of the cluster, or those that a query selects.
pub(super) fn list_pods(query: &str) -> Attempt {
    Attempt::new("list", "GET", format!("api/v1/pods{query}"), None)
}

/// Everything that a thief may think of.
pub(super) fn all(namespace: &str) -> Vec<Attempt> {
    let mut all = Vec::new();
    for place in [namespace, OWN] {
        all.extend(secrets(place));
        all.extend(pods(place));
        all.extend(workloads(place));
        all.extend(evidence(place));
        all.extend(identities(place));
    }
    all.extend(cluster());
    all.extend(masks(namespace));
    all
}

/// Reads and writes of objects at a path: one by name, all, and all at once.
fn every_way(path: &str, name: &str, object: &Value) -> Vec<Attempt> {
    let one = format!("{path}/{name}");
    let patch = json!({"metadata": {"labels": {"a": "b"}}});
    let of =
        |method, path: &str, body: Option<Value>| Attempt::new("", method, path.to_owned(), body);
    let mut all = writes(path, name, object);
    all.extend([
        of("GET", &one, None),
        of("GET", path, None),
        of("GET", &format!("{path}?watch=1&timeoutSeconds=1"), None),
        of("PATCH", &one, Some(patch)),
    ]);
    all
}

fn writes(path: &str, name: &str, object: &Value) -> Vec<Attempt> {
    let one = format!("{path}/{name}");
    let of =
        |method, path: &str, body: Option<Value>| Attempt::new("", method, path.to_owned(), body);
    vec![
        of("POST", path, Some(object.clone())),
        of("PUT", &one, Some(object.clone())),
        of(
            "PATCH",
            &one,
            Some(json!({"metadata": {"labels": {"a": "b"}}})),
        ),
        of(
            "PATCH",
            &format!("{one}/status"),
            Some(json!({"status": {}})),
        ),
        of("DELETE", &one, None),
        of("DELETE", path, None),
    ]
}

fn object(api_version: &str, kind: &str, fields: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}});
    for (name, value) in fields.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

fn secrets(namespace: &str) -> Vec<Attempt> {
    let path = |plural: &str| format!("api/v1/namespaces/{namespace}/{plural}");
    let mut all = every_way(&path("secrets"), "x", &object("v1", "Secret", json!({})));
    all.extend(every_way(
        &path("configmaps"),
        "podid-nmi",
        &object("v1", "ConfigMap", json!({})),
    ));
    for account in ["podid-operator", "podid-nmi", "default"] {
        let token = object(
            "authentication.k8s.io/v1",
            "TokenRequest",
            json!({"spec": {}}),
        );
        let path = format!("{}/{account}/token", path("serviceaccounts"));
        all.push(Attempt::new("token", "POST", path, Some(token)));
    }
    all
}

fn pods(namespace: &str) -> Vec<Attempt> {
    let path = format!("api/v1/namespaces/{namespace}/pods");
    let spec = json!({"spec": {"hostNetwork": true, "containers": [{"name": "a", "image": "x"}]}});
    let mut all = writes(&path, "shop", &object("v1", "Pod", spec));
    for (method, part) in [
        ("GET", "log"),
        ("GET", "exec?command=sh"),
        ("POST", "attach"),
        ("POST", "portforward"),
        ("GET", "proxy"),
        ("POST", "eviction"),
        ("POST", "binding"),
        ("PATCH", "ephemeralcontainers"),
        ("PATCH", "resize"),
    ] {
        let body = (method != "GET").then(|| json!({}));
        all.push(Attempt::new(
            "",
            method,
            format!("{path}/shop/{part}"),
            body,
        ));
    }
    all
}

fn workloads(namespace: &str) -> Vec<Attempt> {
    let apps = |plural: &str| format!("apis/apps/v1/namespaces/{namespace}/{plural}");
    let mut all = every_way(
        &apps("daemonsets"),
        "podid-nmi",
        &object("apps/v1", "DaemonSet", json!({})),
    );
    all.extend(every_way(
        &apps("deployments"),
        "podid-operator",
        &object("apps/v1", "Deployment", json!({})),
    ));
    let leases = format!("apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
    all.extend(every_way(
        &leases,
        "podid-operator",
        &object("coordination.k8s.io/v1", "Lease", json!({})),
    ));
    for plural in ["roles", "rolebindings"] {
        let path = format!("{RBAC}/namespaces/{namespace}/{plural}");
        all.extend(every_way(&path, "podid-operator", &json!({})));
    }
    all
}

/// Events that were written, by it or by others.
fn evidence(namespace: &str) -> Vec<Attempt> {
    let mut all = every_way(
        &format!("api/v1/namespaces/{namespace}/events"),
        "x",
        &object("v1", "Event", json!({})),
    );
    let of = every_way(
        &format!("apis/events.k8s.io/v1/namespaces/{namespace}/events"),
        "x",
        &object("events.k8s.io/v1", "Event", json!({})),
    );
    all.extend(of.into_iter().filter(|attempt| attempt.method != "POST"));
    all
}

fn identities(namespace: &str) -> Vec<Attempt> {
    let profile = object(
        "podid.dev/v1alpha1",
        "PodIdentityProfile",
        json!({"spec": {"className": "c"}}),
    );
    let path = format!("{PODID}/namespaces/{namespace}/podidentityprofiles");
    let mut all = every_way(&path, "shop", &profile);
    for plural in BINDING_KINDS {
        let path = format!("{PREDECESSOR}/namespaces/{namespace}/{plural}");
        all.extend(writes(&path, "shop", &json!({})));
    }
    all
}

fn cluster() -> Vec<Attempt> {
    let class = object(
        "podid.dev/v1alpha1",
        "PodIdentityClass",
        json!({"spec": {}}),
    );
    // It lists and watches them: they say what service principals may be served.
    let classes = format!("{PODID}/podidentityclasses");
    let mut all = writes(&classes, "standard", &class);
    let one = format!("{classes}/standard");
    all.push(Attempt::new("by name", "GET", one, None));
    for (path, name) in [
        ("api/v1/nodes".to_owned(), "node-0"),
        ("api/v1/namespaces".to_owned(), OWN),
        (
            format!("{ADMISSION}/validatingadmissionpolicies"),
            "podid-daemon-events",
        ),
        (
            format!("{ADMISSION}/validatingadmissionpolicybindings"),
            "podid-daemon-events",
        ),
        (format!("{RBAC}/clusterroles"), "podid-nmi"),
        (format!("{RBAC}/clusterrolebindings"), "podid-nmi"),
        (
            "apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned(),
            "podidentityclasses.podid.dev",
        ),
        (
            "apis/certificates.k8s.io/v1/certificatesigningrequests".to_owned(),
            "x",
        ),
    ] {
        all.extend(every_way(&path, name, &json!({})));
    }
    for plural in [
        "podidentityprofiles",
        "podidentityprofiles?watch=1&timeoutSeconds=1",
    ] {
        all.push(Attempt::new(
            "all",
            "GET",
            format!("{PODID}/{plural}"),
            None,
        ));
    }
    for path in [
        "api/v1/secrets",
        "api/v1/configmaps",
        "api/v1/events",
        "api/v1/nodes/node-0/proxy/pods",
        "metrics",
        "logs",
    ] {
        all.push(Attempt::new("all", "GET", path.to_owned(), None));
    }
    for (api, kind, plural) in [
        ("authentication.k8s.io/v1", "TokenReview", "tokenreviews"),
        (
            "authorization.k8s.io/v1",
            "SubjectAccessReview",
            "subjectaccessreviews",
        ),
    ] {
        let review = object(api, kind, json!({"spec": {}}));
        all.push(Attempt::new(
            "",
            "POST",
            format!("apis/{api}/{plural}"),
            Some(review),
        ));
    }
    all
}

/// The daemon's own reads and others' in somebody else's name.
fn masks(namespace: &str) -> Vec<Attempt> {
    let users = [
        "system:serviceaccount:podid-system:podid-operator",
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:node:node-0",
        "system:node:node-1",
        "system:admin",
    ];
    let paths = [
        "api/v1/pods".to_owned(),
        format!("api/v1/namespaces/{namespace}/secrets"),
    ];
    let mut all = Vec::new();
    for user in users {
        for path in &paths {
            all.push(Attempt::new("", "GET", path.clone(), None).impersonating(user));
        }
    }
    all
}
