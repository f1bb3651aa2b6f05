use std::time::Duration;

use proptest::prelude::*;

use super::NodeChange::{AddTaint, Record, RemoveTaint};
use super::NodeGuard::{Guarded, Unguarded};
use super::UnguardedReason::{Absent, NeverReady, NotReady, Restarted};
use super::*;
use crate::condition::ConditionStatus;

const DELAY: Duration = Duration::from_secs(60);
const SETTINGS: NodeTaintSettings = NodeTaintSettings {
    puts_on: true,
    delay: DELAY,
};

fn ready(boot_id: &str, container: &str) -> ReadyDaemon {
    ReadyDaemon {
        boot_id: boot_id.into(),
        container: container.into(),
    }
}

fn node(boot_id: &str, has_taint: bool, last: Option<(&str, &str)>) -> NodeFacts {
    NodeFacts {
        boot_id: boot_id.into(),
        has_taint,
        last_ready: last.map(|(boot_id, container)| ready(boot_id, container)),
    }
}

fn daemon(container: &str, is_ready: bool) -> DaemonPod {
    DaemonPod {
        container: container.into(),
        is_ready,
    }
}

/// The node after the change.
fn changed(node: &NodeFacts, change: Option<NodeChange>) -> NodeFacts {
    let mut node = node.clone();
    match change {
        None => {}
        Some(AddTaint(_)) => node.has_taint = true,
        Some(RemoveTaint(ready)) => {
            node.has_taint = false;
            node.last_ready = Some(ready);
        }
        Some(Record(ready)) => node.last_ready = Some(ready),
    }
    node
}

#[test]
fn a_fresh_node_is_freed_when_its_daemon_is_ready() {
    let fresh = node("b1", true, None);
    for daemons in [&[][..], &[daemon("", false)], &[daemon("c1", false)]] {
        let decision = decide(&fresh, daemons, Duration::ZERO, SETTINGS);
        assert_eq!(
            (decision.guard, decision.change),
            (Unguarded(NeverReady), None)
        );
    }
    let decision = decide(&fresh, &[daemon("c1", true)], Duration::ZERO, SETTINGS);
    let freed = RemoveTaint(ready("b1", "c1"));
    assert_eq!((decision.guard, decision.change), (Guarded, Some(freed)));
}

#[test]
fn a_fresh_node_that_was_registered_without_the_taint_gets_it() {
    let fresh = node("b1", false, None);
    let decide = |settings| decide(&fresh, &[], Duration::ZERO, settings);
    assert_eq!(decide(SETTINGS).change, Some(AddTaint(NeverReady)));
    let left_alone = decide(NodeTaintSettings {
        puts_on: false,
        ..SETTINGS
    });
    assert_eq!(
        (left_alone.guard, left_alone.change),
        (Unguarded(NeverReady), None)
    );
}

#[test]
fn a_rolling_update_does_not_taint() {
    let running = node("b1", false, Some(("b1", "c1")));
    let away = |away, daemons: &[DaemonPod]| decide(&running, daemons, away, SETTINGS);
    let second = Duration::from_secs(1);
    for daemons in [&[][..], &[daemon("c1", false)]] {
        let decision = away(DELAY - second, daemons);
        assert_eq!((decision.guard, decision.change), (Guarded, None));
        assert_eq!(decision.look_again, Some(second));
    }
    let gone = away(DELAY, &[]);
    assert_eq!(
        (gone.guard, gone.change),
        (Unguarded(Absent), Some(AddTaint(Absent)))
    );
    let broken = away(DELAY, &[daemon("c1", false)]);
    assert_eq!(broken.change, Some(AddTaint(NotReady)));
    let successor = away(Duration::ZERO, &[daemon("c2", true)]);
    assert_eq!(successor.change, Some(Record(ready("b1", "c2"))));
    let both = away(Duration::ZERO, &[daemon("c2", true), daemon("c1", true)]);
    assert_eq!(both.change, None, "c1 is written down and still ready");
}

#[test]
fn a_restarted_node_is_tainted_until_a_new_container_is_ready() {
    let restarted = node("b2", false, Some(("b1", "c1")));
    let stale = [daemon("c1", true)];
    let decision = decide(&restarted, &stale, Duration::ZERO, SETTINGS);
    assert_eq!(
        decision.guard,
        Unguarded(Restarted),
        "c1 ended with the restart"
    );
    let tainted = changed(&restarted, decision.change);
    assert!(tainted.has_taint);
    let decision = decide(&tainted, &[daemon("c2", true)], Duration::ZERO, SETTINGS);
    assert_eq!(decision.change, Some(RemoveTaint(ready("b2", "c2"))));
}

#[test]
fn a_boot_id_that_is_unknown_shows_no_restart() {
    for (before, now) in [("", "b1"), ("b1", "")] {
        let node = node(now, false, Some((before, "c1")));
        let decision = decide(&node, &[daemon("c1", true)], Duration::ZERO, SETTINGS);
        assert_eq!(decision.guard, Guarded, "{before:?} {now:?}");
    }
}

#[test]
fn a_new_leader_does_not_call_a_tainted_node_guarded() {
    let tainted = node("b1", true, Some(("b1", "c1")));
    let decision = decide(&tainted, &[daemon("c1", false)], Duration::ZERO, SETTINGS);
    assert_eq!(
        (decision.guard, decision.change),
        (Unguarded(NotReady), None)
    );
}

#[test]
fn what_is_written_down_is_read_again() {
    let written = ready("b1", "containerd://c1");
    assert_eq!(ReadyDaemon::parse(&written.to_string()), Some(written));
    assert_eq!(ReadyDaemon::parse("edited"), None);
}

#[test]
fn a_condition_names_the_first_nodes_and_says_whether_pods_come() {
    let mut summary = NodeSummary {
        has_daemon_set: true,
        ..NodeSummary::default()
    };
    summary.add("n0", Guarded, false);
    let status = |summary: Option<&NodeSummary>| NodeSummary::condition(summary).status;
    assert_eq!(status(Some(&summary)), ConditionStatus::True);
    assert_eq!(status(None), ConditionStatus::Unknown);
    assert_eq!(
        status(Some(&NodeSummary::default())),
        ConditionStatus::Unknown
    );
    for name in ["n1", "n2", "n3", "n4"] {
        summary.add(name, Unguarded(Restarted), name == "n1");
    }
    let condition = NodeSummary::condition(Some(&summary));
    assert_eq!(condition.status, ConditionStatus::False);
    for words in [
        "n1: it restarted, and its podid daemon has not been ready since; its taint",
        "n2: it restarted, and its podid daemon has not been ready since; it has no taint",
        "and 1 more",
    ] {
        assert!(condition.message.contains(words), "{words}: {condition:?}");
    }
    assert_eq!((summary.total, summary.unguarded.len()), (5, 4));
}

fn nodes() -> impl Strategy<Value = NodeFacts> {
    let last = prop::option::of(("b[12]?", "c[12]?"));
    ("b[12]?", any::<bool>(), last).prop_map(|(boot_id, has_taint, last)| {
        let last = last.as_ref();
        node(
            &boot_id,
            has_taint,
            last.map(|(b, c)| (b.as_str(), c.as_str())),
        )
    })
}

fn daemons() -> impl Strategy<Value = Vec<DaemonPod>> {
    let one = ("c[123]?", any::<bool>());
    let one = one.prop_map(|(container, is_ready)| daemon(&container, is_ready));
    prop::collection::vec(one, 0..3)
}

proptest! {
    /// The taint goes only where a container is ready that was not ready before the node restarted.
    #[test]
    fn only_a_daemon_of_this_start_frees_a_node(
        node in nodes(), daemons in daemons(), away in 0..120u64, puts_on: bool,
    ) {
        let settings = NodeTaintSettings { puts_on, ..SETTINGS };
        let decision = decide(&node, &daemons, Duration::from_secs(away), settings);
        if let Some(RemoveTaint(ready) | Record(ready)) = &decision.change {
            prop_assert_eq!(&ready.boot_id, &node.boot_id);
            let is_ready = |daemon: &DaemonPod| daemon.is_ready && daemon.container == ready.container;
            prop_assert!(daemons.iter().any(is_ready));
            if let Some(last) = &node.last_ready {
                let other = !last.boot_id.is_empty() && !node.boot_id.is_empty() && last.boot_id != node.boot_id;
                prop_assert!(!other || last.container != ready.container);
            }
        }
    }

    /// Where podid puts the taint on, a node is guarded or tainted.
    #[test]
    fn no_node_is_open(node in nodes(), daemons in daemons(), away in 0..120u64) {
        let away = Duration::from_secs(away);
        let decision = decide(&node, &daemons, away, SETTINGS);
        let after = changed(&node, decision.change);
        prop_assert_eq!(decision.guard == Guarded, !after.has_taint);
    }

    /// A change that was made is not made again, and the judgement stays.
    #[test]
    fn a_change_is_made_once(
        node in nodes(), daemons in daemons(), away in 0..120u64, puts_on: bool,
    ) {
        let settings = NodeTaintSettings { puts_on, ..SETTINGS };
        let away = Duration::from_secs(away);
        let decision = decide(&node, &daemons, away, settings);
        let again = decide(&changed(&node, decision.change), &daemons, away, settings);
        prop_assert_eq!(again.change, None);
        prop_assert_eq!(again.guard, decision.guard);
    }

    /// A node is looked at again exactly while nothing but time makes it unguarded.
    #[test]
    fn time_alone_is_waited_for(node in nodes(), daemons in daemons(), away in 0..120u64) {
        let away = Duration::from_secs(away);
        let Some(wait) = decide(&node, &daemons, away, SETTINGS).look_again else { return Ok(()) };
        let later = decide(&node, &daemons, away + wait, SETTINGS);
        prop_assert_ne!(later.guard, Guarded);
    }
}
