//! `podid pods`, against a stand-in for an API server. The ring cluster runs it against a real one.

use std::collections::BTreeMap;

use podid::Exit;
use serde_json::{Value, json};

use crate::api_server::{Cluster, Lists};
use crate::fixture::{Ran, podid};
use crate::plan::CLASS;

fn pod(namespace: &str, name: &str, label: Option<&str>, drops: &[&str]) -> Value {
    let labels = label.map_or_else(|| json!({}), |label| json!({"aadpodidbinding": label}));
    let security = json!({"capabilities": {"drop": drops}});
    json!({
        "metadata": {"namespace": namespace, "name": name, "uid": name, "labels": labels},
        "spec": {"containers": [{"name": "app", "securityContext": security}]},
        "status": {"phase": "Running"},
    })
}

/// An AzureIdentity that the profile of this name made, and its binding.
fn made(name: &str) -> [Value; 2] {
    let owner = json!({
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile", "name": name, "uid": "u", "controller": true,
    });
    let annotations = json!({"podid.dev/net-raw": "Enforce"});
    let metadata = json!({
        "namespace": "payments", "name": name, "ownerReferences": [owner], "annotations": annotations,
    });
    [
        json!({"metadata": metadata, "spec": {"type": 0}}),
        json!({"metadata": metadata, "spec": {"azureIdentity": name, "selector": name}}),
    ]
}

fn lists(pods: Vec<Value>, class: Value) -> Lists {
    let [identity, binding] = made("checkout");
    BTreeMap::from([
        ("azureidentities", Ok(vec![identity])),
        ("azureidentitybindings", Ok(vec![binding])),
        ("podidentityclasses", Ok(vec![class])),
        (
            "namespaces",
            Ok(vec![json!({"metadata": {"name": "payments"}})]),
        ),
        ("pods", Ok(pods)),
    ])
}

fn class(neighbours: &Value) -> Value {
    let mut class: Value = serde_saphyr::from_str(CLASS).unwrap();
    class["spec"]["neighbours"] = neighbours.clone();
    class
}

fn listed(lists: Lists, flags: &[&str]) -> Ran {
    let cluster = Cluster::new(lists);
    let config = cluster.kubeconfig();
    let base = [
        "pods",
        "--kubeconfig",
        config.to_str().unwrap(),
        "--context",
        "prod",
    ];
    podid(&[&base, flags].concat())
}

#[test]
fn pods_that_break_a_rule_are_listed_with_whose_it_is_and_what_to_change() {
    let mut ended = pod("payments", "ended", Some("checkout"), &[]);
    ended["status"]["phase"] = "Succeeded".into();
    let pods = vec![
        pod("payments", "keeps", Some("checkout"), &[]),
        pod("payments", "drops", Some("checkout"), &["ALL"]),
        pod("payments", "neighbour", None, &[]),
        pod("elsewhere", "stranger", None, &[]),
        pod("podid-system", "own", None, &[]),
        ended,
    ];
    let neighbours = json!({"rule": "Audit", "scope": "Namespaces"});
    let lists = || lists(pods.clone(), class(&neighbours));
    let ran = listed(lists(), &[]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.err);
    let expected = "\
payments/keeps
  rule of profile payments/checkout (Enforce), class standard (Audit)
  because container app does not drop NET_RAW
  to mend add securityContext: {capabilities: {drop: [NET_RAW]}} to each container named
payments/neighbour
  rule of class standard (Audit)
  because container app does not drop NET_RAW
  to mend add securityContext: {capabilities: {drop: [NET_RAW]}} to each container named
";
    assert_eq!(ran.out, expected);
    let ran = listed(lists(), &["-o", "json"]);
    let list: Value = serde_json::from_str(&ran.out).unwrap();
    let first = &list["pods"][0];
    assert_eq!(
        (&first["name"], &list["pods"][2]),
        (&json!("keeps"), &Value::Null)
    );
    assert_eq!(
        first["rules"][1],
        json!({"of": {"Class": "standard"}, "rule": "Audit"})
    );
}

#[test]
fn what_may_not_be_read_is_said_and_what_must_be_read_is_an_error() {
    let with = |plural: &'static str, code: u16| {
        let mut lists = lists(vec![], class(&Value::Null));
        lists.insert(plural, Err(code));
        listed(lists, &[])
    };
    let ran = with("podidentityclasses", 403);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.err);
    assert!(
        ran.out
            .starts_with("no pod breaks a rule about NET_RAW or the namespaces of its node\n")
            && ran.out.contains("note you may not list podidentityclasses"),
        "{}",
        ran.out
    );
    // A view role in one namespace.
    let mut own = lists(vec![], class(&Value::Null));
    for plural in [
        "azureidentities",
        "azureidentitybindings",
        "podidentityclasses",
        "namespaces",
    ] {
        own.insert(plural, Err(403));
    }
    let keeps = pod("payments", "keeps", Some("checkout"), &[]);
    let [identity, binding] = made("checkout");
    own.insert("payments/azureidentities", Ok(vec![identity]));
    own.insert("payments/azureidentitybindings", Ok(vec![binding]));
    own.insert("payments/pods", Ok(vec![keeps]));
    let ran = listed(own, &["--namespace", "payments"]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.err);
    assert!(
        ran.out.starts_with("payments/keeps\n")
            && ran
                .out
                .contains("note you may not list azureidentities of other namespaces"),
        "{}",
        ran.out
    );
    let none = listed(
        lists(vec![], class(&Value::Null)),
        &["--namespace", "no-such-namespace"],
    );
    assert_eq!(none.exit, Exit::Failed);
    assert!(
        none.err.contains("has no namespace no-such-namespace"),
        "{}",
        none.err
    );
    let ran = with("pods", 403);
    assert_ne!(ran.exit, Exit::Done);
    assert!(
        ran.err.contains("does not list its pods") && ran.err.contains("--namespace"),
        "{}",
        ran.err
    );
}
