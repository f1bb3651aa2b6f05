//! The class controller against a cloud and an API server that write down what they are asked.

mod world;

use std::time::Duration;

use kube::runtime::controller::Action;
use podid_core::condition::ConditionStatus;
use serde_json::json;
use world::{Fault, INTERVAL, World};

/// Calls for a class without roles that only Azure knows: subscription, regions, two groups.
const CALLS: usize = 4;

#[tokio::test(start_paused = true)]
async fn a_class_is_ready_when_azure_has_confirmed_it() {
    let world = World::new(json!({}));
    world.reconcile().await;
    let ready = world.ready();
    assert_eq!(
        (ready.status, ready.observed_generation),
        (ConditionStatus::True, Some(1))
    );
    assert_eq!(ready.message, "identities are made in ids, westeurope");
    assert_eq!(world.calls().len(), CALLS, "{:?}", world.calls());
    assert_eq!(world.statuses(), ["Progressing", "ReconciliationSucceeded"]);
}

#[tokio::test(start_paused = true)]
async fn what_azure_does_not_have_is_not_ready_and_named() {
    let role = |name| json!({ "limits": { "access": [{ "role": name, "scopes": ["/subscriptions/s"] }] } });
    for (spec, reason, field, remedy) in [
        (
            json!({ "subscriptionId": "x" }),
            "ProgressingWithRetry",
            "spec.subscriptionId: \"x\"",
            "access to it",
        ),
        (
            json!({ "resourceGroup": "x" }),
            "ProgressingWithRetry",
            "spec.resourceGroup: \"x\"",
            "create it",
        ),
        (
            json!({ "nodeResourceGroup": "x" }),
            "ProgressingWithRetry",
            "spec.nodeResourceGroup: \"x\"",
            "create it",
        ),
        (
            json!({ "location": "x" }),
            "LocationNotFound",
            "spec.location: \"x\"",
            "correct spec.location",
        ),
        (
            json!({ "tenantId": "x" }),
            "WrongTenant",
            "spec.tenantId: \"x\"",
            "correct spec.tenantId",
        ),
        (
            role("Time Lord"),
            "RoleNotFound",
            "spec.limits.access[0].role: \"Time Lord\"",
            "correct spec.limits.access[0].role",
        ),
    ] {
        let world = World::new(spec);
        world.reconcile().await;
        let ready = world.ready();
        assert_eq!(
            (ready.status, &*ready.reason),
            (ConditionStatus::False, reason),
            "{}",
            ready.message
        );
        assert!(ready.message.starts_with(field), "{}", ready.message);
        assert!(ready.message.contains(remedy), "{}", ready.message);
    }
    let world = World::new(role("Payments Auditor"));
    world.reconcile().await;
    assert_eq!(
        world.ready().status,
        ConditionStatus::True,
        "a custom role that is there"
    );
}

#[tokio::test(start_paused = true)]
async fn no_call_is_made_for_a_class_that_is_malformed() {
    let world = World::new(json!({ "cloud": "AzureChinaCloud" }));
    assert_eq!(world.reconcile().await, Action::await_change());
    assert_eq!(
        (world.ready().status, &*world.ready().reason),
        (ConditionStatus::False, "InvalidSpec")
    );
    assert_eq!(world.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn azure_is_asked_on_change_and_at_the_interval_and_not_for_each_profile() {
    let world = World::new(json!({}));
    for _ in 0..50 {
        world.reconcile().await;
    }
    assert_eq!(world.calls().len(), CALLS);
    assert_eq!(world.statuses().len(), 2, "and nothing is written again");

    tokio::time::advance(INTERVAL.mul_f64(1.11)).await;
    world.reconcile().await;
    world.reconcile().await;
    assert_eq!(world.calls().len(), 2 * CALLS, "once at the interval");

    world.change(json!({ "location": "x" }));
    world.reconcile().await;
    world.reconcile().await;
    assert_eq!(world.calls().len(), 3 * CALLS, "once after a change");
    assert_eq!(world.ready().status, ConditionStatus::False);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_handled_at_once_and_only_once() {
    let world = World::new(json!({}));
    world.strike(Some(Fault::Forbidden));
    world.reconcile().await;
    world.strike(None);
    world.request("granted");
    world.reconcile().await;
    world.reconcile().await;
    assert_eq!(
        world.ready().status,
        ConditionStatus::True,
        "without a wait"
    );
    assert_eq!(world.handled().as_deref(), Some("granted"));
    assert_eq!(world.calls().len(), 2 * CALLS);

    world.strike(Some(Fault::Silent));
    world.request("again");
    world.reconcile().await;
    assert_eq!(
        world.handled().as_deref(),
        Some("granted"),
        "nobody has answered"
    );
}

#[tokio::test(start_paused = true)]
async fn counting_profiles_takes_back_nothing_that_was_said() {
    let mut world = World::new(json!({}));
    world.reconcile().await;
    for (count, name) in (1..).zip(["one", "two"]) {
        world.profile_comes(name);
        world.reconcile().await;
        assert_eq!(
            world.ready().status,
            ConditionStatus::True,
            "whatever the cache shows"
        );
        assert_eq!(world.counted(), Some(count));
    }
    assert_eq!(world.calls().len(), CALLS);
}

#[tokio::test(start_paused = true)]
async fn a_class_stays_ready_while_azure_is_silent_and_a_new_one_is_unknown() {
    for (fault, step) in [
        (Fault::Silent, ": check that"),
        (Fault::Busy, ": wait"),
        (Fault::Proxy, ": check that"),
        (Fault::SignedOut, ": check the"),
    ] {
        let world = World::new(json!({}));
        world.strike(Some(fault));
        world.reconcile().await;
        let ready = world.ready();
        assert_eq!(
            (ready.status, &*ready.reason),
            (ConditionStatus::Unknown, "Progressing"),
            "{fault:?}"
        );
        let why = ready
            .message
            .find(" Azure answered")
            .or_else(|| ready.message.find(" no answer"));
        let remedy = ready.message.find(step);
        assert!(
            remedy.is_some() && remedy < why.or(Some(usize::MAX)),
            "{}",
            ready.message
        );

        world.strike(None);
        tokio::time::advance(Duration::from_secs(600)).await;
        world.reconcile().await;
        assert_eq!(world.ready().status, ConditionStatus::True);

        let written = world.statuses().len();
        world.strike(Some(fault));
        tokio::time::advance(INTERVAL.mul_f64(1.11)).await;
        world.reconcile().await;
        assert_eq!(world.ready().status, ConditionStatus::True, "{fault:?}");
        assert_eq!(world.statuses().len(), written, "nothing flaps");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_azure_is_asked_ever_more_seldom_and_not_before_it_wishes() {
    let world = World::new(json!({}));
    world.strike(Some(Fault::Busy));
    let first = world.reconcile().await;
    assert_ne!(first, Action::await_change());
    tokio::time::advance(Duration::from_secs(59)).await;
    for _ in 0..5 {
        world.reconcile().await;
    }
    assert_eq!(world.calls().len(), CALLS, "Azure asked for a minute");

    world.strike(Some(Fault::Silent));
    let mut rounds = 0;
    for _ in 0..3600 {
        tokio::time::advance(Duration::from_secs(1)).await;
        let before = world.calls().len();
        world.reconcile().await;
        rounds += usize::from(world.calls().len() > before);
    }
    assert!((10..=30).contains(&rounds), "{rounds} rounds in an hour");
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_is_named_and_asked_for_again() {
    let world = World::new(json!({}));
    world.strike(Some(Fault::Forbidden));
    world.reconcile().await;
    let ready = world.ready();
    assert_eq!(
        (ready.status, &*ready.reason),
        (ConditionStatus::False, "ProgressingWithRetry")
    );
    assert!(
        ready.message.contains("AuthorizationFailed"),
        "{}",
        ready.message
    );
    assert!(
        ready
            .message
            .contains("in Azure: grant the operator's identity"),
        "{}",
        ready.message
    );
    world.strike(None);
    tokio::time::advance(Duration::from_secs(2)).await;
    world.reconcile().await;
    assert_eq!(world.ready().status, ConditionStatus::True);
}
