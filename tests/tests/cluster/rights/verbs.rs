//! The verbs of the API server, as the words of the documentation and as requests.

use std::collections::BTreeSet;

use http::Request;
use kube::client::Body;
use serde_json::{Value, json};

use crate::fixture::Space;

/// All that there are for an object of a kind.
pub(super) const VERBS: [&str; 8] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
];

/// What a cell of the table stands for.
pub(super) fn words(cell: &str) -> BTreeSet<&'static str> {
    let of = |word: &str| match word {
        "–" => VERBS[..0].to_vec(),
        "read" => VERBS[..3].to_vec(),
        "write" => VERBS[3..].to_vec(),
        verb => {
            let known = VERBS.into_iter().find(|known| *known == verb);
            vec![known.unwrap_or_else(|| panic!("{cell}"))]
        }
    };
    cell.split(", ").flat_map(of).collect()
}

/// A request for an object, as a dry run if it would write.
pub(super) struct Call<'a> {
    pub(super) verb: &'static str,
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) kind: &'a str,
    pub(super) plural: &'a str,
    pub(super) subresource: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: &'a str,
}

impl Call<'_> {
    /// Whether the API server does anything but forbid it.
    pub(super) async fn is_let_through(&self, who: &Space) -> bool {
        let (method, of_one, query, body) = match self.verb {
            "get" => ("GET", true, "", None),
            "list" => ("GET", false, "", None),
            "watch" => ("GET", false, "?watch=1&timeoutSeconds=1", None),
            "create" => ("POST", false, "?dryRun=All", Some(self.object())),
            "update" => ("PUT", true, "?dryRun=All", Some(self.object())),
            "patch" => ("PATCH", true, "?dryRun=All", Some(json!({}))),
            "delete" => ("DELETE", true, "?dryRun=All", None),
            "deletecollection" => ("DELETE", false, "?dryRun=All", None),
            other => panic!("{other}"),
        };
        let mut path = format!("/apis/{}/{}", self.group, self.version);
        let namespace = self.namespace.map(|name| ("namespaces", name));
        let one = of_one.then_some((self.plural, self.name));
        for (segment, name) in namespace.into_iter().chain(one) {
            path = format!("{path}/{segment}/{name}");
        }
        if !of_one {
            path = format!("{path}/{}", self.plural);
        }
        if let Some(subresource) = self.subresource {
            path = format!("{path}/{subresource}");
        }
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let body = body.map(|body: Value| body.to_string()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}{query}"))
            .header("content-type", kind)
            .body(Body::from(body.into_bytes()));
        let answer = who.client.send(request.unwrap()).await.unwrap();
        !matches!(answer.status().as_u16(), 401 | 403)
    }

    /// Not a good one: whether it would be taken is asked after whether it may be sent.
    fn object(&self) -> Value {
        json!({
            "apiVersion": format!("{}/{}", self.group, self.version), "kind": self.kind,
            "metadata": {"name": self.name}, "spec": {},
        })
    }
}
