use serde_json::json;

use super::cloud::{Canned, CannedAnswer};
use crate::{
    ArmSubscriptions, ErrorClass, Location, ResourceGroup, ResourceGroupId, Subscription,
    Subscriptions,
};

const SUBSCRIPTION: &str = "/subscriptions/s";
const GROUP: &str = "/subscriptions/s/resourceGroups/Apps";

#[tokio::test]
async fn a_subscription_is_read_with_its_tenant_and_regions() {
    let cloud = Canned::start().await;
    let body =
        json!({"id": SUBSCRIPTION, "subscriptionId": "s", "tenantId": "t", "state": "Enabled"});
    cloud.on("GET", SUBSCRIPTION, [CannedAnswer::json(200, body)]);
    let region = json!({
        "id": "/subscriptions/s/locations/westeurope", "name": "westeurope", "type": "Region",
        "displayName": "West Europe", "metadata": {"regionType": "Physical"},
    });
    let regions = format!("{SUBSCRIPTION}/locations");
    cloud.on(
        "GET",
        &regions,
        [CannedAnswer::json(200, json!({"value": [region]}))],
    );
    let subscriptions = ArmSubscriptions::new(&cloud.arm());
    let (id, tenant_id) = ("s".to_owned(), "t".to_owned());
    assert_eq!(
        subscriptions.get("s").await.unwrap(),
        Some(Subscription { id, tenant_id })
    );
    let westeurope = Location {
        name: "westeurope".to_owned(),
        display_name: "West Europe".to_owned(),
    };
    assert_eq!(subscriptions.locations("s").await.unwrap(), [westeurope]);
    for call in cloud.seen() {
        assert_eq!(call.query, "api-version=2022-12-01");
    }
}

#[tokio::test]
async fn a_group_is_read_whatever_its_letter_case() {
    let cloud = Canned::start().await;
    let body = json!({"name": "APPS", "location": "westeurope", "properties": {}});
    cloud.on("GET", GROUP, [CannedAnswer::json(200, body)]);
    let id = ResourceGroupId::new("s", "Apps");
    let location = "westeurope".to_owned();
    assert_eq!(
        ArmSubscriptions::new(&cloud.arm())
            .group(&id)
            .await
            .unwrap(),
        Some(ResourceGroup { id, location })
    );
}

#[tokio::test]
async fn only_azure_says_that_a_subscription_or_a_group_is_not_there() {
    let cloud = Canned::start().await;
    let subscriptions = ArmSubscriptions::new(&cloud.arm());
    let id = ResourceGroupId::new("s", "Apps");
    let absent = |code| [CannedAnswer::error(404, code)];
    cloud.on("GET", SUBSCRIPTION, absent("SubscriptionNotFound"));
    cloud.on("GET", GROUP, absent("ResourceGroupNotFound"));
    assert_eq!(subscriptions.get("s").await.unwrap(), None);
    assert_eq!(subscriptions.group(&id).await.unwrap(), None);
    for code in ["", "NotFound", "InvalidResourceType"] {
        cloud.on("GET", SUBSCRIPTION, absent(code));
        cloud.on("GET", GROUP, absent(code));
        for error in [
            subscriptions.get("s").await.unwrap_err(),
            subscriptions.group(&id).await.unwrap_err(),
        ] {
            assert_eq!(error.class(), ErrorClass::NotFound, "{error}");
        }
    }
    cloud.on("GET", GROUP, absent("SubscriptionNotFound"));
    let error = subscriptions.group(&id).await.unwrap_err();
    assert_eq!(error.code(), Some("SubscriptionNotFound"));
}

#[tokio::test]
async fn a_refusal_to_read_says_which_right_is_missing() {
    let cloud = Canned::start().await;
    let refused = CannedAnswer::error(403, "AuthorizationFailed");
    cloud.on("GET", "/subscriptions/s/locations", [refused]);
    let subscriptions = ArmSubscriptions::new(&cloud.arm());
    let error = subscriptions.locations("s").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Forbidden);
    assert!(
        error
            .to_string()
            .starts_with("listing the regions of /subscriptions/s"),
        "{error}"
    );
    let error = subscriptions.get("../theirs").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid);
}
