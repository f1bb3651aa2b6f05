//! What a service account of podid may do, and what it does by the API server's audit log. Both as texts of the form
//! `verb group/resource`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

/// The account of the node daemon.
pub const DAEMON: &str = "system:serviceaccount:podid-system:podid-nmi";

/// Verbs that change nothing.
const READS: [&str; 3] = ["get", "list", "watch"];

/// What an account did.
#[derive(Debug, Default)]
pub struct Calls {
    /// What the API server allowed.
    pub allowed: BTreeSet<String>,
    /// What it refused.
    pub forbidden: BTreeSet<String>,
}

/// What a Role or ClusterRole allows.
#[must_use]
pub fn granted(role: &Value) -> BTreeSet<String> {
    let mut granted = BTreeSet::new();
    for rule in list(&role["rules"]) {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                let verbs = texts(&rule["verbs"]);
                granted.extend(verbs.map(|verb| call(verb, group, resource)));
            }
        }
    }
    granted
}

/// The calls of an account so far.
///
/// # Errors
/// When the log cannot be read.
pub fn called(audit_log: &Path, account: &str) -> io::Result<Calls> {
    let log = fs::read_to_string(audit_log)?;
    // Most lines are others', and reading one takes long. The last may be half written.
    let lines = log.lines().filter(|line| line.contains(account));
    let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut calls = Calls::default();
    for event in events.filter(|event| event["user"]["username"] == account) {
        let Some(call) = call_of(&event) else {
            continue;
        };
        match event["annotations"]["authorization.k8s.io/decision"] == "allow" {
            true => calls.allowed.insert(call),
            false => calls.forbidden.insert(call),
        };
    }
    Ok(calls)
}

/// What an account has written in a namespace so far, in the order of the answers.
///
/// # Errors
/// When the log cannot be read.
pub fn written(audit_log: &Path, account: &str, namespace: &str) -> io::Result<Vec<String>> {
    let log = fs::read_to_string(audit_log)?;
    let lines = log
        .lines()
        .filter(|line| line.contains(account) && line.contains(namespace));
    let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_account = events.filter(|event| {
        event["user"]["username"] == account
            && event["objectRef"]["namespace"] == namespace
            && !READS.iter().any(|verb| event["verb"] == *verb)
    });
    Ok(of_account.filter_map(|event| call_of(&event)).collect())
}

/// `None` for what concerns no resource, as the API server's version.
fn call_of(event: &Value) -> Option<String> {
    let object = &event["objectRef"];
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let verb = event["verb"].as_str().unwrap_or_default();
    (!resource.is_empty()).then(|| call(verb, text("apiGroup"), &resource))
}

fn call(verb: &str, group: &str, resource: &str) -> String {
    format!("{verb} {group}/{resource}")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    list(value).filter_map(Value::as_str)
}
