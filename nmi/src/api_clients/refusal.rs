//! What a person can do when the API server does not let the daemon act as its node. Its answer says it too, so that
//! every log line about the refusal does.

use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use kube::client::DynBody;
use kube::core::Status;
use tower::BoxError;
use tower::util::AndThenLayer;

/// Words of the API server, and what to do about them. The first that fit count.
const REMEDIES: [(&str, &str); 4] = [
    // It knows impersonation of the old kind only, which asks for this right.
    (
        "cannot impersonate resource \"users\"",
        "the API server has no constrained impersonation, which Kubernetes 1.36 has: leave PODID_ACT_AS_NODE unset, \
         and the component act-as-node out",
    ),
    (
        "cannot impersonate-on:arbitrary-node:",
        "the daemon's token does not say that its pod is on this node: PODID_NODE_NAME must be the node of the pod \
         whose token it is",
    ),
    (
        "associated-node",
        "the daemon has not the right to act as its node: the component act-as-node gives it",
    ),
    (
        "User \"system:node:",
        "the API server does not know what a node may read: it needs the Node authorizer; else leave \
         PODID_ACT_AS_NODE unset, and the component act-as-node out",
    ),
];

type Answer = Response<Box<DynBody>>;
type Explained = fn(Answer) -> BoxFuture<'static, Result<Answer, BoxError>>;

/// Adds to a refusal what to do about it.
pub(super) fn explained() -> AndThenLayer<Explained> {
    AndThenLayer::new(|answer| Box::pin(explain(answer)))
}

async fn explain(answer: Answer) -> Result<Answer, BoxError> {
    if answer.status() != StatusCode::FORBIDDEN {
        return Ok(answer);
    }
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    let body = with_remedy(&body).map_or(body, Bytes::from);
    // Its length is another one now.
    let mut answer = Response::new(boxed(body));
    *answer.status_mut() = head.status;
    Ok(answer)
}

fn boxed(body: Bytes) -> Box<DynBody> {
    Box::new(Full::new(body).map_err(BoxError::from))
}

/// The body of a refusal with what to do in its message; `None` for one that is about something else.
fn with_remedy(body: &[u8]) -> Option<Vec<u8>> {
    let mut status: Status = serde_json::from_slice(body).ok()?;
    let remedy = remedy(&status.message)?;
    status.message = format!("{} ({remedy})", status.message);
    serde_json::to_vec(&status).ok()
}

fn remedy(message: &str) -> Option<&'static str> {
    let mut remedies = REMEDIES.iter();
    let found = remedies.find(|(words, _)| message.contains(words));
    found.map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::within_limit;

    async fn explained(status: u16, body: &str) -> (u16, String) {
        let body = boxed(Bytes::from(body.to_owned()));
        let answer = Response::builder().status(status).body(body).unwrap();
        let answer = explain(answer).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn refusal(message: &str) -> String {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": "Forbidden", "code": 403,
        })
        .to_string()
    }

    /// The words of API servers: 1.33, and 1.36 in three ways.
    #[tokio::test]
    async fn each_refusal_says_what_to_do() {
        within_limit(async {
        let account = "User \"system:serviceaccount:podid-system:podid-nmi\" cannot";
        let at = "at the cluster scope";
        for (message, remedy) in [
            (
                format!(
                    "users \"system:node:n\" is forbidden: {account} impersonate resource \"users\" in API group \"\" {at}"
                ),
                "has no constrained impersonation",
            ),
            (
                format!(
                    "pods is forbidden: {account} impersonate-on:arbitrary-node:list resource \"pods\" in API group \"\" {at}"
                ),
                "does not say that its pod is on this node",
            ),
            (
                format!(
                    "pods is forbidden: {account} impersonate-on:associated-node:list resource \"pods\" in API group \"\" {at}"
                ),
                "has not the right to act as its node",
            ),
            (
                format!(
                    "nodes.authentication.k8s.io \"*\" is forbidden: {account} impersonate:associated-node resource \
                     \"nodes\" in API group \"authentication.k8s.io\" {at}"
                ),
                "has not the right to act as its node",
            ),
            (
                format!(
                    "pods is forbidden: User \"system:node:n\" cannot list resource \"pods\" in API group \"\" {at}"
                ),
                "needs the Node authorizer",
            ),
        ] {
            let (status, body) = explained(403, &refusal(&message)).await;
            let body: Value = serde_json::from_str(&body).unwrap();
            let said = body["message"].as_str().unwrap();
            assert_eq!((status, &body["reason"]), (403, &json!("Forbidden")));
            assert!(said.starts_with(&format!("{message} (")), "{said}");
            assert!(said.contains(remedy), "{said}");
        }
        })
        .await;
    }

    #[tokio::test]
    async fn other_answers_stay_as_they_are() {
        within_limit(async {
            let policy =
                refusal("events.events.k8s.io \"e\" is forbidden: ValidatingAdmissionPolicy");
            for (status, body) in [
                (403, policy.as_str()),
                (403, "no JSON"),
                (200, "{\"kind\":\"PodList\"}"),
                (404, "associated-node"),
            ] {
                assert_eq!(explained(status, body).await, (status, body.to_owned()));
            }
        })
        .await;
    }
}
