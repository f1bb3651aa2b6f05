use std::collections::BTreeMap;

use serde_json::json;

use super::cloud::{Canned, CannedAnswer};
use crate::{
    ArmIdentities, AzureError, Deleted, ErrorClass, Identities, IdentityId, ResourceGroupId,
    UserAssignedIdentitySpec,
};

const LIST: &str = "/subscriptions/s/resourceGroups/g/providers/\
                    Microsoft.ManagedIdentity/userAssignedIdentities";

/// An identity as Azure writes it, with its own ideas of letter case.
fn body(name: &str) -> serde_json::Value {
    json!({
        "id": format!("/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"),
        "name": name,
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
        "location": "westeurope",
        "tags": {"podid-cluster": "blue"},
        "properties": {"tenantId": "t", "principalId": "p", "clientId": "c"},
    })
}

pub(super) fn identity(status: u16, name: &str) -> CannedAnswer {
    CannedAnswer::json(status, body(name))
}

fn page(names: &[&str], next: Option<String>) -> CannedAnswer {
    let value: Vec<_> = names.iter().map(|name| body(name)).collect();
    CannedAnswer::json(200, json!({"value": value, "nextLink": next}))
}

async fn list(cloud: &Canned) -> Result<Vec<String>, AzureError> {
    let group = ResourceGroupId::new("s", "g");
    let found = ArmIdentities::new(&cloud.arm())
        .list_by_group(&group)
        .await?;
    Ok(found.into_iter().map(|identity| identity.id.name).collect())
}

#[tokio::test]
async fn put_sends_location_and_tags_and_nothing_else() {
    let cloud = Canned::start().await;
    cloud.on("PUT", &format!("{LIST}/web"), [identity(201, "web")]);
    let id = IdentityId::new("s", "g", "web");
    let tags = BTreeMap::from([("podid-cluster".to_owned(), "blue".to_owned())]);
    let spec = UserAssignedIdentitySpec {
        location: "westeurope".to_owned(),
        tags: tags.clone(),
    };
    let made = ArmIdentities::new(&cloud.arm())
        .put(&id, &spec)
        .await
        .unwrap();
    assert_eq!((made.id, made.tags), (id, tags));
    assert_eq!(
        [made.client_id, made.principal_id, made.tenant_id],
        ["c", "p", "t"]
    );
    let sent = cloud.seen()[0].json();
    assert_eq!(
        sent,
        json!({"location": "westeurope", "tags": {"podid-cluster": "blue"}})
    );
}

#[tokio::test]
async fn a_missing_identity_or_group_is_none_but_a_missing_subscription_is_an_error() {
    let cloud = Canned::start().await;
    let id = IdentityId::new("s", "g", "web");
    let identities = ArmIdentities::new(&cloud.arm());
    cloud.on(
        "GET",
        &format!("{LIST}/web"),
        [CannedAnswer::error(404, "ResourceNotFound")],
    );
    assert_eq!(identities.get(&id).await.unwrap(), None);
    for method in ["GET", "DELETE"] {
        cloud.on(
            method,
            &format!("{LIST}/web"),
            [CannedAnswer::error(404, "ResourceGroupNotFound")],
        );
    }
    assert_eq!(identities.get(&id).await.unwrap(), None);
    assert_eq!(identities.delete(&id).await.unwrap(), Deleted::Absent);
    cloud.on(
        "GET",
        &format!("{LIST}/web"),
        [CannedAnswer::error(404, "SubscriptionNotFound")],
    );
    let error = identities.get(&id).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::NotFound);
    assert_eq!(error.code(), Some("SubscriptionNotFound"));
}

#[tokio::test]
async fn deleting_tells_whether_there_was_something() {
    let cloud = Canned::start().await;
    let path = format!("{LIST}/web");
    cloud.on(
        "DELETE",
        &path,
        [CannedAnswer::text(200, ""), CannedAnswer::text(204, "")],
    );
    let identities = ArmIdentities::new(&cloud.arm());
    let id = IdentityId::new("s", "g", "web");
    assert_eq!(identities.delete(&id).await.unwrap(), Deleted::Removed);
    assert_eq!(identities.delete(&id).await.unwrap(), Deleted::Absent);
}

/// Fault 37: `nextLink` has a query of its own.
#[tokio::test]
async fn pages_are_followed_as_they_are_written() {
    let cloud = Canned::start().await;
    let next = format!(
        "{}/next?api-version=2018-11-30&%24skiptoken=a%2Fb",
        cloud.url
    );
    cloud.on("GET", LIST, [page(&["one"], Some(next))]);
    cloud.on("GET", "/next", [page(&["two"], Some(String::new()))]);
    assert_eq!(list(&cloud).await.unwrap(), ["one", "two"]);
    assert_eq!(cloud.seen().len(), 2);
    assert_eq!(
        cloud.seen()[1].query,
        "api-version=2018-11-30&%24skiptoken=a%2Fb"
    );
}

/// Fault 37: `nextLink` leads to another host.
#[tokio::test]
async fn a_page_on_another_host_is_refused_and_gets_no_token() {
    let (cloud, thief) = (Canned::start().await, Canned::start().await);
    cloud.on(
        "GET",
        LIST,
        [page(&["one"], Some(format!("{}/next?secret=1", thief.url)))],
    );
    let error = list(&cloud).await.unwrap_err();
    let AzureError::ForeignUrl { url, host, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((url, host), (&format!("{}/next", thief.url), &cloud.url));
    assert_eq!(error.class(), ErrorClass::Unexpected);
    assert!(thief.seen().is_empty());
}

/// Fault 37: `nextLink` is a page that was read already.
#[tokio::test]
async fn pages_in_a_circle_end_in_an_error() {
    let cloud = Canned::start().await;
    cloud.on(
        "GET",
        LIST,
        [page(
            &["one"],
            Some(format!("{}/next?api-version=1", cloud.url)),
        )],
    );
    cloud.on(
        "GET",
        "/next",
        [page(
            &["two"],
            Some(format!("{}/next?api-version=1", cloud.url)),
        )],
    );
    let error = list(&cloud).await.unwrap_err();
    assert!(error.to_string().contains("a page already read"), "{error}");
    assert_eq!(cloud.seen().len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_no_identity_is_told_apart() {
    let cloud = Canned::start().await;
    for answer in [
        CannedAnswer::text(200, "<html>"),
        CannedAnswer::json(200, json!({"location": "x"})),
    ] {
        cloud.on("GET", &format!("{LIST}/web"), [answer]);
        let id = IdentityId::new("s", "g", "web");
        let error = ArmIdentities::new(&cloud.arm()).get(&id).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unexpected, "{error}");
    }
}
