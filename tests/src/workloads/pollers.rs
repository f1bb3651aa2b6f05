//! Pods that ask for tokens without a pause, and what they were answered.

use std::collections::BTreeMap;

use podid_lab::Lab;
use podid_lab::image::BOX;
use serde_json::{Value, json};

use super::team::TEAM;
use super::wait_until;
use crate::kubectl::Kubectl;
use crate::node::{CUT_OFF, TOKEN_URL};

/// One answer, as a poller prints it.
#[derive(Clone, Debug)]
pub struct Line {
    /// curl's exit code: 7 is "no connection", 28 "too late"; see also [`CUT_OFF`].
    pub exit: i32,
    /// HTTP status; 0 without an answer.
    pub status: u16,
    /// From the first packet to the end of the answer.
    pub seconds: f64,
    /// Of the identity that the token is for; `none` without a token.
    pub client_id: String,
    /// Why there is no connection, in the system's words; empty when there is one.
    pub no_connection: String,
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

    /// Nobody accepts connections.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.no_connection.contains("refused")
    }

    /// A connection that the daemon had, or that waited for it to be accepted, ends with the daemon. A client that
    /// has not looked yet whether it is connected is told that it never was.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        let is_reset = self.exit == 7 && self.no_connection.contains("reset");
        self.status == 0 && (CUT_OFF.contains(&self.exit) || is_reset)
    }
}

/// A pod on every node that asks by a new connection each time, and prints a line for every answer.
fn daemon_set(name: &str) -> Value {
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

/// Pods that poll, one on every node.
#[derive(Debug)]
pub struct Pollers<'a> {
    kubectl: Kubectl<'a>,
    name: &'static str,
    nodes: usize,
}

#[allow(clippy::expect_used)]
impl<'a> Pollers<'a> {
    /// Starts them, and waits until each has got tokens.
    ///
    /// # Panics
    /// When they do not get tokens in time.
    #[must_use]
    pub fn start(lab: &'a Lab, name: &'static str) -> Self {
        let kubectl = Kubectl::of(lab);
        kubectl.apply(&daemon_set(name));
        let nodes = kubectl.json(&["get", "nodes"])["items"]
            .as_array()
            .map_or(0, Vec::len);
        let pollers = Self {
            kubectl,
            name,
            nodes,
        };
        pollers.more_of_each(3);
        pollers
    }

    /// What each poller was answered until now, by the pod's name.
    fn lines(&self) -> BTreeMap<String, Vec<Line>> {
        let selector = format!("--selector=app={}", self.name);
        let pods = self
            .kubectl
            .json(&["--namespace", TEAM, "get", "pods", &selector]);
        let names = pods["items"].as_array().expect("a list").iter();
        let names = names.filter_map(|pod| pod["metadata"]["name"].as_str());
        let read = |name: &str| {
            let log = self.kubectl.output(&["--namespace", TEAM, "logs", name]);
            let text = String::from_utf8_lossy(&log.stdout).into_owned();
            text.lines().filter_map(Line::read).collect()
        };
        names.map(|name| (name.to_owned(), read(name))).collect()
    }

    /// Waits until each poller has got `count` more tokens.
    ///
    /// # Panics
    /// When they do not get them in time.
    pub fn more_of_each(&self, count: usize) {
        let tokens = |lines: &[Line]| lines.iter().filter(|line| line.status == 200).count();
        let before = self.lines();
        wait_until("all pollers have got more tokens", || {
            let now = self.lines();
            let has_more = |(name, lines): (&String, &Vec<Line>)| {
                let before = before.get(name).map_or(0, |lines| tokens(lines));
                tokens(lines) >= before + count
            };
            now.len() == self.nodes && now.iter().all(has_more)
        });
    }

    /// Ends the pods. Returns all their lines, and prints what was counted, for docs/upgrade.md.
    ///
    /// # Panics
    /// When kubectl fails.
    #[allow(clippy::print_stdout)]
    pub fn end(self, what: &str) -> Vec<Line> {
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
