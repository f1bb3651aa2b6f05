//! The policy and `podid_core::net_raw` say the same of every pod: what admission lets pass, the
//! operator and the node daemon let pass too, and the other way round.

use std::collections::{BTreeSet, HashSet};
use std::mem::discriminant;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use podid_core::net_raw::{Breach, FORBIDDEN, describe};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::{drops, keeps, pod, space};
use crate::fixture::{Space, refusal};

/// Pods that are tried, always the same ones.
const PODS: usize = 300;
/// Debugging containers that are tried.
const DEBUGGERS: usize = 250;
/// Of each verdict at least so many, or the table shows little.
const ENOUGH: usize = 25;

/// A capability in one of many spellings, some of which no runtime understands.
fn capability() -> impl Strategy<Value = String> {
    let others = [
        "NET_ADM\u{131}N",
        "\u{17f}YS_ADMIN",
        "CHOWN",
        "NET_RAW2",
        "RAW",
        "",
    ];
    let word = select([&FORBIDDEN[..], &others].concat());
    let prefix = select(vec!["", "", "CAP_", "cap_", "CAP_CAP_", " "]);
    (word, prefix, 0..3).prop_map(|(word, prefix, case)| {
        let word = match case {
            0 => word.to_ascii_lowercase(),
            _ => word.to_owned(),
        };
        format!("{prefix}{word}")
    })
}

fn maybe(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![8 => Just(None), 2 => value.prop_map(Some)]
}

fn boolean() -> impl Strategy<Value = Option<Value>> {
    maybe(any::<bool>().prop_map(Value::from))
}

/// An object with those of the fields that have a value.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let present = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}

/// A `securityContext`; most of them keep the rule.
fn context() -> impl Strategy<Value = Value> {
    let some = || proptest::collection::vec(capability(), 0..3).prop_map(|list| json!(list));
    let drop = prop_oneof![
        6 => Just(Some(json!(["ALL"]))),
        3 => Just(Some(json!(["CHOWN", "NET_RAW"]))),
        1 => some().prop_map(Some),
    ];
    (boolean(), maybe(some()), drop).prop_map(|(privileged, add, drop)| {
        let capabilities = object([("add", add), ("drop", drop)]);
        object([
            ("privileged", privileged),
            ("capabilities", Some(capabilities)),
        ])
    })
}

fn containers(prefix: &'static str, count: std::ops::Range<usize>) -> impl Strategy<Value = Value> {
    let named = move |contexts: Vec<Value>| {
        let one = |(index, context)| json!({"name": format!("{prefix}{index}"), "image": "x", "securityContext": context});
        contexts.into_iter().enumerate().map(one).collect()
    };
    proptest::collection::vec(context(), count).prop_map(named)
}

/// The `spec` of a pod that the API server's own rules allow.
fn spec() -> impl Strategy<Value = Value> {
    let parts = (
        containers("app-", 1..3),
        containers("setup-", 0..2),
        boolean(),
        boolean(),
        boolean(),
    );
    parts.prop_map(|(containers, setup, network, processes, users)| {
        // The API server itself refuses users of its own to a pod that shares the node's network or processes.
        let shares = [&network, &processes].contains(&&Some(json!(true)));
        object([
            ("hostUsers", users.filter(|_| !shares)),
            ("containers", Some(containers)),
            ("initContainers", Some(setup)),
            ("hostNetwork", network),
            ("hostPID", processes),
        ])
    })
}

/// As many values of a strategy, the same ones in every run.
fn table<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    let mut next = || strategy.new_tree(&mut runner).unwrap().current();
    (0..count).map(|_| next()).collect()
}

/// The pods that are tried, by their `spec`.
pub(crate) fn specs() -> Vec<Value> {
    table(&spec(), PODS)
}

/// What the operator and the node daemon find wrong with a pod.
pub(crate) fn breaches(pod: &Value) -> BTreeSet<Breach> {
    let pod: Pod = serde_json::from_value(pod.clone()).unwrap();
    podid_crds::convert::pod(&pod).breaches
}

/// The verdicts that were the same.
pub(super) struct Verdicts {
    /// What every refusal says.
    words: [String; 2],
    admitted: usize,
    refused: usize,
}

impl Verdicts {
    /// None yet, of a policy whose refusals say this.
    pub(super) fn in_words(words: [String; 2]) -> Self {
        Self {
            words,
            admitted: 0,
            refused: 0,
        }
    }

    fn of_profile() -> Self {
        Self::in_words(["podid-net-raw-enforce", "profile shop"].map(str::to_owned))
    }

    /// Compares what the API server said with what is found in the pod.
    pub(super) fn compare(&mut self, pod: &Value, said: Result<(), String>) {
        let found = breaches(pod);
        match said {
            Ok(()) => {
                assert!(
                    found.is_empty(),
                    "admitted, but {}: {pod}",
                    describe(&found)
                );
                self.admitted += 1;
            }
            Err(message) => {
                for words in &self.words {
                    assert!(message.contains(words), "{message}: {pod}");
                }
                assert!(!found.is_empty(), "nothing is wrong, but {message}: {pod}");
                // The API server hands on the first of several messages.
                let told = |breach: &Breach| message.contains(&breach.to_string());
                assert!(
                    found.len() > 1 || found.iter().all(told),
                    "{message} does not say {}",
                    describe(&found)
                );
                self.refused += 1;
            }
        }
    }

    pub(super) fn are_enough(&self) {
        assert!(self.admitted >= ENOUGH, "{} admitted", self.admitted);
        assert!(self.refused >= ENOUGH, "{} refused", self.refused);
    }
}

#[tokio::test]
async fn admission_and_core_say_the_same_of_every_pod() {
    let space = space().await;
    let mut verdicts = Verdicts::of_profile();
    let mut kinds = HashSet::new();
    for spec in specs() {
        let mut pod = pod("p", "shop", &keeps());
        pod["spec"] = spec;
        kinds.extend(breaches(&pod).iter().map(discriminant));
        let said = space.admits(pod.clone()).await;
        verdicts.compare(&pod, said);
    }
    verdicts.are_enough();
    assert_eq!(kinds.len(), 5, "every kind of breach is in the table");
}

/// Whether a container like this may be added to a running pod for debugging.
async fn debug(space: &Space, container: &Value) -> Result<(), String> {
    let patch = Patch::Strategic(json!({"spec": {"ephemeralContainers": [container]}}));
    let parameters = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let answer = space
        .api("Pod")
        .patch_subresource("ephemeralcontainers", "web", &parameters, &patch)
        .await;
    answer.map(|_| ()).map_err(|error| refusal(error).message)
}

#[tokio::test]
async fn admission_and_core_say_the_same_of_every_debugging_container() {
    let space = space().await;
    let clean = pod("web", "shop", &drops("ALL"));
    space.create("Pod", clean.clone(), false).await.unwrap();
    let mut verdicts = Verdicts::of_profile();
    for context in table(&context(), DEBUGGERS) {
        let container = json!({"name": "debugger", "image": "x", "securityContext": context});
        let mut pod = clean.clone();
        pod["spec"]["ephemeralContainers"] = json!([container]);
        let said = debug(&space, &container).await;
        verdicts.compare(&pod, said);
    }
    verdicts.are_enough();
}

/// Windows has no such capabilities, and no node with the node daemon runs such a pod.
#[tokio::test]
async fn windows_pods_are_excused_by_both() {
    let space = space().await;
    let mut pod = pod("p", "shop", &keeps());
    pod["spec"]["os"] = json!({"name": "windows"});
    assert!(breaches(&pod).is_empty());
    space.admits(pod).await.unwrap();
}

/// With users of its own a pod's capabilities are worth nothing on the node, and NET_RAW as much as ever on its network.
#[tokio::test]
async fn a_user_namespace_excuses_nothing() {
    let space = space().await;
    let with = |context: &Value| {
        let mut pod = pod("p", "shop", context);
        pod["spec"]["hostUsers"] = json!(false);
        pod
    };
    let added = json!({"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}});
    for context in [keeps(), added] {
        let pod = with(&context);
        assert!(!breaches(&pod).is_empty(), "{pod}");
        let said = space.admits(pod).await.expect_err("it keeps NET_RAW");
        assert!(said.contains("podid-net-raw-enforce"), "{said}");
    }
    space.admits(with(&drops("ALL"))).await.unwrap();
    // The API server has no such pod, with or without podid.
    for shared in ["hostNetwork", "hostPID"] {
        let mut pod = with(&drops("ALL"));
        pod["spec"][shared] = json!(true);
        let said = space.admits(pod).await.expect_err(shared);
        assert!(
            said.contains("hostUsers") && !said.contains("podid"),
            "{said}"
        );
    }
}
