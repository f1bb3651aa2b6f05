//! Alerts and dashboard ask for metrics that the daemons have, by labels and values that these have.

use std::collections::BTreeMap;
use std::fs;

use podid_tests::pages::{page, section};
use podid_tests::programs::repository;
use serde_json::Value;

const FOLDER: &str = "kustomize/components/monitoring";

/// The labels of a metric, each with its values.
type Labels = BTreeMap<String, Vec<String>>;

/// Every series name of the daemons, with its labels.
fn known() -> BTreeMap<String, Labels> {
    let mut known: BTreeMap<String, Labels> = BTreeMap::new();
    let text = podid_operator::app::metrics_at_start() + &podid_nmi::app::metrics_at_start();
    for line in text.lines().filter(|line| line.starts_with("podid_")) {
        let (name, labels) = line.split_once(['{', ' ']).unwrap();
        let series = known.entry(name.to_owned()).or_default();
        for (label, value) in pairs(labels) {
            series.entry(label).or_default().push(value);
        }
    }
    known
}

/// The labels with their values in `a="b",c="d"}`.
fn pairs(text: &str) -> Vec<(String, String)> {
    let text = text.split('}').next().unwrap();
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(label, value)| (label.to_owned(), value.trim_matches('"').to_owned()))
        .collect()
}

/// Every `podid_…` of an expression, with what follows it.
fn asked(expression: &str) -> Vec<(&str, &str)> {
    let starts = expression.match_indices("podid_").map(|(at, _)| at);
    let parts = starts.map(|at| {
        let rest = &expression[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        rest.split_at(end.unwrap_or(rest.len()))
    });
    parts.collect()
}

fn assert_known(expression: &str) {
    let known = known();
    let asked = asked(expression);
    assert!(!asked.is_empty(), "{expression}");
    for (name, rest) in asked {
        let labels = known
            .get(name)
            .unwrap_or_else(|| panic!("no {name}: {expression}"));
        if let Some(selected) = rest.strip_prefix('{') {
            for (label, value) in pairs(selected) {
                let values = labels.get(&label);
                let values = values.unwrap_or_else(|| panic!("no {label}: {expression}"));
                assert!(values.contains(&value), "no {value}: {expression}");
            }
        }
        if let Some((_, grouped)) = expression.split_once(" by (") {
            for label in grouped.split(')').next().unwrap().split(", ") {
                assert!(labels.contains_key(label), "no {label}: {expression}");
            }
        }
    }
}

fn read(name: &str) -> String {
    fs::read_to_string(repository().join(FOLDER).join(name)).unwrap()
}

/// The alerts.
fn alerts() -> Vec<Value> {
    let rule: Value = serde_saphyr::from_str(&read("alerts.yaml")).unwrap();
    let groups = rule["spec"]["groups"].as_array().unwrap();
    let alerts = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap().clone());
    let alerts: Vec<Value> = alerts.collect();
    assert!(alerts.len() > 5);
    alerts
}

#[test]
fn alerts_ask_for_metrics_that_are_there() {
    for alert in alerts() {
        assert_known(alert["expr"].as_str().unwrap());
        for words in ["summary", "description"] {
            assert!(alert["annotations"][words].is_string(), "{alert}");
        }
    }
}

#[test]
fn the_page_says_what_to_do_for_each_alert_and_for_no_other() {
    let section = section(&page("docs/troubleshooting.md"), "An alert fires");
    let entries = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let entries = entries.filter_map(|line| line.split_once('`'));
    let documented: Vec<&str> = entries.map(|(name, _)| name).collect();
    let alerts = alerts();
    let names: Vec<&str> = alerts
        .iter()
        .filter_map(|alert| alert["alert"].as_str())
        .collect();
    assert_eq!(documented, names);
}

#[test]
fn the_dashboard_asks_for_metrics_that_are_there() {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 5);
    for target in panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
    {
        assert_known(target["expr"].as_str().unwrap());
    }
}
