//! Subscriptions, their regions, and groups.

use azure_sim::{Options, RoleAssignment, Seed};

use crate::harness::{Lab, NOBODY, SUB};

const SUBSCRIPTIONS: &str = "api-version=2022-12-01";
const GROUPS: &str = "api-version=2021-04-01";

/// The demo's seed, whose operator may read the subscription as well.
async fn lab() -> Lab {
    let mut seed = Seed::demo().unwrap();
    seed.role_assignments.push(RoleAssignment {
        role: "Reader".to_owned(),
        principal: "operator".to_owned(),
        ..RoleAssignment::default()
    });
    Lab::start(Options {
        seed,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn a_subscription_names_its_tenant_and_its_regions() {
    let lab = lab().await;
    let arm = lab.arm().await;
    let got = arm
        .get(&format!("/subscriptions/{SUB}?{SUBSCRIPTIONS}"))
        .await;
    assert_eq!(got.status, 200, "{}", got.text);
    assert_eq!(got.json()["tenantId"], azure_sim::DEFAULT_TENANT);

    let got = arm
        .get(&format!("/subscriptions/{SUB}/locations?{SUBSCRIPTIONS}"))
        .await;
    assert_eq!(got.status, 200, "{}", got.text);
    let regions = got.json()["value"].as_array().expect("a list").clone();
    let westeurope = regions
        .iter()
        .find(|region| region["name"] == "westeurope")
        .expect("the seed's own region");
    assert_eq!(westeurope["displayName"], "West Europe");
    assert_eq!(
        westeurope["id"],
        format!("/subscriptions/{SUB}/locations/westeurope")
    );
    assert!(got.json()["nextLink"].is_null(), "this list has no pages");
}

#[tokio::test]
async fn a_missing_resource_and_a_missing_role_have_different_errors() {
    let lab = lab().await;
    let (arm, nobody) = (lab.arm().await, lab.arm_as(NOBODY).await);
    let other = "/subscriptions/99999999-0000-4000-8000-000000000001";
    for path in [other.to_owned(), format!("{other}/locations")] {
        let got = arm.get(&format!("{path}?{SUBSCRIPTIONS}")).await;
        assert_eq!(got.error(), (404, "SubscriptionNotFound".into()));
    }
    let group = |name: &str| format!("/subscriptions/{SUB}/resourceGroups/{name}?{GROUPS}");
    assert_eq!(arm.get(&group("podid")).await.status, 200);
    assert_eq!(
        arm.get(&group("nowhere")).await.error(),
        (404, "ResourceGroupNotFound".into())
    );
    for path in [
        format!("/subscriptions/{SUB}?{SUBSCRIPTIONS}"),
        format!("/subscriptions/{SUB}/locations?{SUBSCRIPTIONS}"),
        group("podid"),
        group("nowhere"),
    ] {
        let got = nobody.get(&path).await;
        assert_eq!(got.error(), (403, "AuthorizationFailed".into()), "{path}");
    }
}
