//! The node daemon is replaced and killed while pods ask for tokens without a pause.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use podid_lab::image::BOX;
use podid_lab::install::NAMESPACE as SYSTEM;
use podid_lab::{Lab, Target};
use podid_tests::kubectl::Kubectl;
use podid_tests::node::TOKEN_URL;
use serde_json::{Value, json};

use crate::cluster::cluster_alone;
use crate::objects::{TEAM, client_id};

/// Longest time that anything here may take on a slow machine, the kubelet's pauses between restarts included.
const LIMIT: Duration = Duration::from_secs(240);

/// One answer, as a poller prints it.
#[derive(Clone, Debug)]
struct Line {
    /// curl's exit code: 7 is "no connection", 28 "too late", 52 and 56 "cut off".
    exit: u32,
    /// HTTP status; 0 without an answer.
    status: u16,
    /// From the first packet to the end of the answer.
    seconds: f64,
    /// Of the identity that the token is for; `none` without a token.
    client_id: String,
    /// Why there is no connection, in the system's words; empty when there is one.
    no_connection: String,
}

impl Line {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.splitn(5, ' ');
        let mut next = || words.next();
        Some(Self {
            exit: next()?.parse().ok()?,
            status: next()?.parse().ok()?,
            seconds: next()?.parse().ok()?,
            client_id: next()?.to_owned(),
            no_connection: next()?.to_owned(),
        })
    }

    fn is_refused(&self) -> bool {
        self.no_connection.contains("refused")
    }

    /// A connection that the daemon had, or that waited for it to be accepted, ends with the daemon. A client that
    /// has not looked yet whether it is connected is told that it never was.
    fn is_cut_off(&self) -> bool {
        let is_reset = self.exit == 7 && self.no_connection.contains("reset");
        self.status == 0 && ([52, 56].contains(&self.exit) || is_reset)
    }
}

/// A pod on every node that asks by a new connection each time, and prints a line for every answer.
fn pollers(name: &str) -> Value {
    let ask = format!(
        "while true; do rm -f /tmp/answer; \
         said=$(curl -sv -o /tmp/answer -w '%{{http_code}} %{{time_total}}' --max-time 90 -H Metadata:true '{TOKEN_URL}' 2>/tmp/log); \
         exit=$?; id=$(sed -n 's/.*\"client_id\":\"\\([^\"]*\\)\".*/\\1/p' /tmp/answer 2>/dev/null); \
         why=$(sed -n 's/^. connect to .* failed: //p' /tmp/log); \
         echo \"$exit $said ${{id:-none}} $why\"; done"
    );
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": TEAM},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name, "aadpodidbinding": "checkout"}},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{
                        "name": "poller",
                        "image": BOX,
                        "command": ["sh", "-c", ask],
                        "securityContext": {"capabilities": {"drop": ["ALL"]}},
                    }],
                },
            },
        },
    })
}

/// Pods that poll, on both nodes.
struct Polling<'a> {
    kubectl: Kubectl<'a>,
    name: &'static str,
}

impl<'a> Polling<'a> {
    fn start(lab: &'a Lab, name: &'static str) -> Self {
        let kubectl = Kubectl::of(lab);
        kubectl.apply(&pollers(name));
        let polling = Self { kubectl, name };
        polling.more_of_each(3);
        polling
    }

    /// What each poller was answered until now, by the pod's name.
    fn lines(&self) -> BTreeMap<String, Vec<Line>> {
        let selector = format!("--selector=app={}", self.name);
        let pods = self
            .kubectl
            .json(&["--namespace", TEAM, "get", "pods", &selector]);
        let names = pods["items"].as_array().unwrap().iter();
        let names = names.filter_map(|pod| pod["metadata"]["name"].as_str());
        let read = |name: &str| {
            let log = self.kubectl.output(&["--namespace", TEAM, "logs", name]);
            let text = String::from_utf8_lossy(&log.stdout).into_owned();
            text.lines().filter_map(Line::read).collect()
        };
        names.map(|name| (name.to_owned(), read(name))).collect()
    }

    /// Waits until both pollers have got `count` more tokens.
    fn more_of_each(&self, count: usize) {
        let tokens = |lines: &[Line]| lines.iter().filter(|line| line.status == 200).count();
        let before = self.lines();
        wait_until("both pods have got more tokens", || {
            let now = self.lines();
            let has_more = |(name, lines): (&String, &Vec<Line>)| {
                let before = before.get(name).map_or(0, |lines| tokens(lines));
                tokens(lines) >= before + count
            };
            now.len() == 2 && now.iter().all(has_more)
        });
    }

    /// Ends the pods. Returns all their lines, and prints what was counted, for docs/upgrade.md.
    fn end(self, what: &str) -> Vec<Line> {
        let lines: Vec<Line> = self.lines().into_values().flatten().collect();
        let daemon_set = format!("daemonset/{}", self.name);
        self.kubectl
            .run(&["--namespace", TEAM, "delete", &daemon_set]);
        let count = |is: fn(&Line) -> bool| lines.iter().filter(|line| is(line)).count();
        let slowest = lines.iter().map(|line| line.seconds).fold(0.0, f64::max);
        println!(
            "{what}: {} answers, {} refused, {} cut off, {} with 5xx, slowest {slowest:.3} s",
            lines.len(),
            count(Line::is_refused),
            count(Line::is_cut_off),
            count(|line| line.status >= 500),
        );
        lines
    }
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < end, "waited {LIMIT:?} until {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Names of podid's pods on the nodes, that run.
fn daemons(kubectl: &Kubectl<'_>) -> Vec<String> {
    let selector = "--selector=app.kubernetes.io/name=podid-nmi";
    let names = "--output=jsonpath={.items[*].metadata.name}";
    let text = kubectl.run(&["--namespace", SYSTEM, "get", "pods", selector, names]);
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn a_rolling_update_of_the_daemon_costs_nobody_an_answer() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    let own = client_id(&kubectl);
    let polling = Polling::start(&lab, "rollout-pollers");
    let before = daemons(&kubectl);
    kubectl.run(&[
        "--namespace",
        SYSTEM,
        "rollout",
        "restart",
        "daemonset/podid-nmi",
    ]);
    let status = ["rollout", "status", "daemonset/podid-nmi", "--timeout=240s"];
    kubectl.run(&[&["--namespace", SYSTEM][..], &status].concat());
    wait_until("the old daemons have ended", || {
        let now = daemons(&kubectl);
        now.len() == 2 && !now.iter().any(|name| before.contains(name))
    });
    polling.more_of_each(20);
    let lines = polling.end("rolling update");
    for line in lines {
        assert_eq!((line.exit, line.status), (0, 200), "{line:?}");
        assert_eq!(line.client_id, own, "{line:?}");
    }
}

/// How often the container of the daemon on a node was restarted, and whether it is ready.
fn restarts(kubectl: &Kubectl<'_>, node: &str) -> (u64, bool) {
    let on_node = format!("--field-selector=spec.nodeName={node}");
    let selector = "--selector=app.kubernetes.io/name=podid-nmi";
    let pods = kubectl.json(&["--namespace", SYSTEM, "get", "pods", selector, &on_node]);
    let container = &pods["items"][0]["status"]["containerStatuses"][0];
    let count = container["restartCount"].as_u64().unwrap_or_default();
    (count, container["ready"] == true)
}

#[test]
fn a_daemon_that_is_killed_again_and_again_refuses_nobody() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    let own = client_id(&kubectl);
    let polling = Polling::start(&lab, "crash-pollers");
    for _ in 0..3 {
        let (before, _) = restarts(&kubectl, "node-0");
        let kill = ["sh", "-c", "kill -9 $(pgrep -x podid-nmi)"];
        let killed = lab.command(&Target::node("node-0"), kill).status().unwrap();
        assert!(killed.success());
        wait_until("the daemon is ready again", || {
            let (now, is_ready) = restarts(&kubectl, "node-0");
            now > before && is_ready
        });
        polling.more_of_each(5);
    }
    let lines = polling.end("killed three times");
    for line in lines {
        let is_answered = line.status == 200 && line.client_id == own;
        assert!(line.is_cut_off() || is_answered, "{line:?}");
    }
}
