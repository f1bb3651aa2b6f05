//! The class controller against a cloud and an API server that write down what they are asked.

mod fixture;

use std::time::Duration;

use fixture::{Fault, Fixture, HELD_BACK, INTERVAL};
use kube::runtime::controller::Action;
use podid_core::arm_budget::CallPriority;
use podid_core::class::NEIGHBOURS_READY;
use podid_core::condition::ConditionStatus;
use podid_core::node_guard::{NODES_GUARDED, NodeGuard, NodeSummary, UnguardedReason};
use podid_core::policy::{POLICIES_INSTALLED, POLICY_MISSING};
use serde_json::{Value, json};

/// Calls for a class without roles that only Azure knows: subscription, regions, two groups.
const CALLS: usize = 4;

#[tokio::test(start_paused = true)]
async fn a_class_is_ready_when_azure_has_confirmed_it() {
    let fixture = Fixture::new(json!({}));
    fixture.reconcile().await;
    let ready = fixture.ready();
    assert_eq!(
        (ready.status, ready.observed_generation),
        (ConditionStatus::True, Some(1))
    );
    assert_eq!(ready.message, "identities are made in ids, westeurope");
    assert_eq!(fixture.calls().len(), CALLS, "{:?}", fixture.calls());
    assert_eq!(
        fixture.statuses(),
        ["Progressing", "ReconciliationSucceeded"]
    );
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
        let fixture = Fixture::new(spec);
        fixture.reconcile().await;
        let ready = fixture.ready();
        assert_eq!(
            (ready.status, &*ready.reason),
            (ConditionStatus::False, reason),
            "{}",
            ready.message
        );
        assert!(ready.message.starts_with(field), "{}", ready.message);
        assert!(ready.message.contains(remedy), "{}", ready.message);
    }
    let fixture = Fixture::new(role("Payments Auditor"));
    fixture.reconcile().await;
    assert_eq!(
        fixture.ready().status,
        ConditionStatus::True,
        "a custom role that is there"
    );
}

#[tokio::test(start_paused = true)]
async fn no_call_is_made_for_a_class_that_is_malformed() {
    let fixture = Fixture::new(json!({ "cloud": "AzureChinaCloud" }));
    assert_eq!(fixture.reconcile().await, Action::await_change());
    assert_eq!(
        (fixture.ready().status, &*fixture.ready().reason),
        (ConditionStatus::False, "InvalidSpec")
    );
    assert_eq!(fixture.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn azure_is_asked_on_change_and_at_the_interval_and_not_for_each_profile() {
    let fixture = Fixture::new(json!({}));
    for _ in 0..50 {
        fixture.reconcile().await;
    }
    assert_eq!(fixture.calls().len(), CALLS);
    assert_eq!(fixture.statuses().len(), 2, "and nothing is written again");

    tokio::time::advance(INTERVAL.mul_f64(1.11)).await;
    fixture.reconcile().await;
    fixture.reconcile().await;
    assert_eq!(fixture.calls().len(), 2 * CALLS, "once at the interval");

    fixture.change(json!({ "location": "x" }));
    fixture.reconcile().await;
    fixture.reconcile().await;
    assert_eq!(fixture.calls().len(), 3 * CALLS, "once after a change");
    assert_eq!(fixture.ready().status, ConditionStatus::False);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_handled_at_once_and_only_once() {
    let fixture = Fixture::new(json!({}));
    fixture.strike(Some(Fault::Forbidden));
    fixture.reconcile().await;
    fixture.strike(None);
    fixture.request("granted");
    fixture.reconcile().await;
    fixture.reconcile().await;
    assert_eq!(
        fixture.ready().status,
        ConditionStatus::True,
        "without a wait"
    );
    assert_eq!(fixture.handled().as_deref(), Some("granted"));
    assert_eq!(fixture.calls().len(), 2 * CALLS);

    fixture.strike(Some(Fault::Silent));
    fixture.request("again");
    fixture.reconcile().await;
    assert_eq!(
        fixture.handled().as_deref(),
        Some("granted"),
        "nobody has answered"
    );
}

#[tokio::test(start_paused = true)]
async fn counting_profiles_takes_back_nothing_that_was_said() {
    let mut fixture = Fixture::new(json!({}));
    fixture.reconcile().await;
    for (count, name) in (1..).zip(["one", "two"]) {
        fixture.profile_comes(name);
        fixture.reconcile().await;
        assert_eq!(
            fixture.ready().status,
            ConditionStatus::True,
            "whatever the cache shows"
        );
        assert_eq!(fixture.counted(), Some(count));
    }
    assert_eq!(fixture.calls().len(), CALLS);
}

#[tokio::test(start_paused = true)]
async fn a_class_stays_ready_while_azure_is_silent_and_a_new_one_is_unknown() {
    for (fault, step) in [
        (Fault::Silent, ": check that"),
        (Fault::Busy, ": wait"),
        (Fault::Proxy, ": check that"),
        (Fault::SignedOut, ": check the"),
    ] {
        let fixture = Fixture::new(json!({}));
        fixture.strike(Some(fault));
        fixture.reconcile().await;
        let ready = fixture.ready();
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

        fixture.strike(None);
        tokio::time::advance(Duration::from_secs(600)).await;
        fixture.reconcile().await;
        assert_eq!(fixture.ready().status, ConditionStatus::True);

        let written = fixture.statuses().len();
        fixture.strike(Some(fault));
        tokio::time::advance(INTERVAL.mul_f64(1.11)).await;
        fixture.reconcile().await;
        assert_eq!(fixture.ready().status, ConditionStatus::True, "{fault:?}");
        assert_eq!(fixture.statuses().len(), written, "nothing flaps");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_azure_is_asked_ever_more_seldom_and_not_before_it_wishes() {
    let fixture = Fixture::new(json!({}));
    fixture.strike(Some(Fault::Busy));
    let first = fixture.reconcile().await;
    assert_ne!(first, Action::await_change());
    tokio::time::advance(Duration::from_secs(59)).await;
    for _ in 0..5 {
        fixture.reconcile().await;
    }
    assert_eq!(fixture.calls().len(), CALLS, "Azure asked for a minute");

    fixture.strike(Some(Fault::Silent));
    let mut rounds = 0;
    for _ in 0..3600 {
        tokio::time::advance(Duration::from_secs(1)).await;
        let before = fixture.calls().len();
        fixture.reconcile().await;
        rounds += usize::from(fixture.calls().len() > before);
    }
    assert!((10..=30).contains(&rounds), "{rounds} rounds in an hour");
}

#[tokio::test(start_paused = true)]
async fn a_comparison_goes_on_where_it_was_held_back() {
    let fixture = Fixture::new(json!({}));
    for calls in 1..CALLS {
        fixture.strike(Some(Fault::Left(1)));
        assert_eq!(fixture.reconcile().await, Action::requeue(HELD_BACK));
        assert_eq!(fixture.calls().len(), calls);
        assert_eq!(fixture.ready().status, ConditionStatus::Unknown);
        assert_eq!(fixture.statuses(), ["Progressing"], "nothing is said of it");
        tokio::time::advance(HELD_BACK).await;
    }
    fixture.strike(Some(Fault::Left(1)));
    fixture.reconcile().await;
    assert_eq!(fixture.ready().status, ConditionStatus::True);

    // Another class is another comparison.
    fixture.change(json!({ "location": "eastus" }));
    fixture.strike(None);
    fixture.reconcile().await;
    assert_eq!(fixture.calls().len(), 2 * CALLS);
}

#[tokio::test(start_paused = true)]
async fn what_a_class_says_already_is_compared_when_nobody_else_needs_the_calls() {
    let fixture = Fixture::new(json!({}));
    fixture.reconcile().await;
    assert_eq!(fixture.priority(), Some(CallPriority::Awaited));
    tokio::time::advance(INTERVAL.mul_f64(1.11)).await;
    fixture.reconcile().await;
    assert_eq!(fixture.priority(), Some(CallPriority::Background));
    fixture.request("now");
    fixture.reconcile().await;
    assert_eq!(fixture.priority(), Some(CallPriority::Awaited));
    tokio::time::advance(INTERVAL.mul_f64(1.11)).await;
    fixture.reconcile().await;
    assert_eq!(fixture.priority(), Some(CallPriority::Background), "once");
    fixture.change(json!({ "location": "eastus" }));
    fixture.reconcile().await;
    assert_eq!(fixture.priority(), Some(CallPriority::Awaited));
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_is_named_and_asked_for_again() {
    let fixture = Fixture::new(json!({}));
    fixture.strike(Some(Fault::Forbidden));
    fixture.reconcile().await;
    let ready = fixture.ready();
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
            .contains(" failed: grant the operator's identity"),
        "{}",
        ready.message
    );
    fixture.strike(None);
    tokio::time::advance(Duration::from_secs(2)).await;
    fixture.reconcile().await;
    assert_eq!(fixture.ready().status, ConditionStatus::True);
}

#[tokio::test(start_paused = true)]
async fn a_broken_node_is_told_and_does_not_make_the_class_unready() {
    let fixture = Fixture::new(json!({}));
    fixture.reconcile().await;
    assert_eq!(guarded(&fixture), ("Unknown".into(), Some(1)));
    assert_eq!(fixture.status().nodes, None);

    let mut summary = NodeSummary {
        has_daemon_set: true,
        ..NodeSummary::default()
    };
    summary.add("n1", NodeGuard::Guarded, false);
    summary.add("n2", NodeGuard::Unguarded(UnguardedReason::Restarted), true);
    fixture.nodes_are(summary.clone());
    let calls = fixture.calls().len();
    fixture.reconcile().await;
    assert_eq!(
        fixture.calls().len(),
        calls,
        "Azure is not asked about nodes"
    );
    assert_eq!(guarded(&fixture), ("False".into(), Some(1)));
    assert_eq!(fixture.ready().status, ConditionStatus::True);
    let nodes = fixture.status().nodes.expect("counts");
    assert_eq!((nodes.total, nodes.unguarded), (2, 1));
    assert_eq!(nodes.unguarded_names, ["n2"]);

    fixture.change(json!({ "location": "eastus" }));
    fixture.reconcile().await;
    assert_eq!(guarded(&fixture), ("False".into(), Some(2)));
    let ready = fixture.ready();
    assert_eq!(
        (ready.status, ready.observed_generation),
        (ConditionStatus::True, Some(2))
    );

    summary.unguarded.clear();
    fixture.nodes_are(summary);
    fixture.reconcile().await;
    assert_eq!(guarded(&fixture), ("True".into(), Some(2)));
}

/// Status and generation of the condition about nodes.
fn guarded(fixture: &Fixture) -> (String, Option<i64>) {
    let conditions = fixture.status().conditions.expect("conditions");
    let found: Vec<_> = conditions
        .iter()
        .filter(|one| one.type_ == NODES_GUARDED)
        .collect();
    assert_eq!(found.len(), 1, "{conditions:?}");
    (found[0].status.clone(), found[0].observed_generation)
}

/// A pod whose container keeps `NET_RAW`.
fn keeping(namespace: &str, name: &str) -> Value {
    json!({
        "metadata": { "namespace": namespace, "name": name },
        "spec": { "containers": [{ "name": "app" }] },
    })
}

#[tokio::test(start_paused = true)]
async fn neighbours_that_run_and_break_the_rule_are_named_and_leave_the_class_ready() {
    let limits = json!({ "namespaces": { "names": ["apps", "agents"] } });
    let neighbours = json!({ "rule": "Enforce", "exceptNamespaces": ["agents"] });
    let mut fixture = Fixture::new(json!({ "limits": limits, "neighbours": neighbours }));
    for namespace in ["apps", "agents", "other"] {
        fixture.namespace_comes(namespace);
    }
    let mut ended = keeping("apps", "job");
    ended["status"] = json!({ "phase": "Succeeded" });
    let mut good = keeping("apps", "good");
    good["spec"]["containers"][0]["securityContext"] =
        json!({ "capabilities": { "drop": ["ALL"] } });
    fixture.pods_are(&[
        keeping("apps", "web"),
        keeping("agents", "agent"),
        keeping("other", "web"),
        ended,
        good,
    ]);
    fixture.reconcile().await;
    let status = fixture.status();
    assert_eq!(status.breaking_neighbour_count, Some(1));
    let named = status.breaking_neighbours.expect("named");
    assert_eq!((&*named[0].namespace, &*named[0].name), ("apps", "web"));
    assert_eq!(named[0].reason, "container app does not drop NET_RAW");
    let part = fixture.part(NEIGHBOURS_READY).expect("a condition");
    assert_eq!(part, ("False".into(), "PodsKeepNetRaw".into()));
    assert_eq!(fixture.ready().status, ConditionStatus::True);

    fixture.pods_are(&[]);
    fixture.request("mended");
    fixture.reconcile().await;
    assert_eq!(fixture.status().breaking_neighbour_count, Some(0));
    let part = fixture.part(NEIGHBOURS_READY).expect("a condition");
    assert_eq!(part, ("True".into(), "Enforced".into()));

    fixture.change(json!({ "neighbours": null }));
    fixture.reconcile().await;
    assert_eq!(fixture.status().breaking_neighbour_count, None);
    assert_eq!(fixture.part(NEIGHBOURS_READY), None);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_somebody_removed_is_named_and_leaves_the_class_ready() {
    let fixture = Fixture::new(json!({ "neighbours": { "rule": "Audit", "scope": "Nodes" } }));
    fixture.reconcile().await;
    let installed = ("True".to_owned(), "Installed".to_owned());
    assert_eq!(fixture.part(POLICIES_INSTALLED), Some(installed.clone()));
    let missing = ("False".to_owned(), POLICY_MISSING.to_owned());

    fixture.remove_policy("podid-neighbours-audit");
    fixture.request("look");
    fixture.reconcile().await;
    assert_eq!(fixture.part(POLICIES_INSTALLED), Some(missing.clone()));
    assert_eq!(fixture.part(NEIGHBOURS_READY), Some(missing.clone()));
    assert_eq!(fixture.ready().status, ConditionStatus::True);

    fixture.remove_policy("podid-node-taints");
    fixture.request("look again");
    fixture.reconcile().await;
    assert_eq!(fixture.part(POLICIES_INSTALLED), Some(missing));
    let audited = ("True".to_owned(), "Audited".to_owned());
    assert_eq!(fixture.part(NEIGHBOURS_READY), Some(audited));
}
