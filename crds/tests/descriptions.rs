//! What `kubectl explain` prints is for people who have never seen this code.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

use serde_json::Value;

/// Every `description` at or below a value.
fn descriptions(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("description").and_then(Value::as_str);
            own.into_iter()
                .chain(fields.values().flat_map(descriptions))
                .collect()
        }
        Value::Array(items) => items.iter().flat_map(descriptions).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// What in a description means something only to those who write podid: a link or a path of
/// rustdoc, or the name of a type, constant, function or crate.
fn internal(description: &str) -> Option<&str> {
    let marks = [
        "[`", "`]", "::", "crate", "Rust", "serde", "`None`", "`Some`",
    ];
    if let Some(mark) = marks.into_iter().find(|mark| description.contains(mark)) {
        return Some(mark);
    }
    let words = description.split(|c: char| !c.is_alphanumeric() && c != '_');
    let ours = |word: &&str| {
        let snake = word.contains('_') && word.chars().any(char::is_lowercase);
        let constant = word.contains('_') && !["NET_RAW", "MC_"].contains(word);
        let part = ["Spec", "Status", "Rule", "Limit"];
        let part = part.iter().any(|part| {
            let rest = word.strip_suffix(part);
            rest.is_some_and(|rest| rest.chars().any(char::is_lowercase))
        });
        snake || constant || part
    };
    words.into_iter().find(ours)
}

#[test]
fn descriptions_hold_no_internal_names() {
    let mut seen = 0;
    for manifest in podid_crds::manifests::manifests().unwrap() {
        let definition: Value = serde_saphyr::from_str(&manifest.content).unwrap();
        for description in descriptions(&definition) {
            seen += 1;
            assert_eq!(
                internal(description),
                None,
                "{}: {description:?}",
                manifest.file
            );
        }
    }
    assert!(seen > 100, "only {seen} descriptions were found");
}

#[test]
fn internal_names_are_found() {
    let slips = [
        "[`STATUS_CREATED`], [`STATUS_ASSIGNED`] or [`STATUS_UNASSIGNED`].",
        "Whether pods must drop `NET_RAW`: see [`crate::net_raw`].",
        "See core::class::Cloud.",
        "Auto-generated derived type for PodIdentityProfileSpec via `CustomResource`",
        "As `node_resource_group` says.",
        "The state, an AssignedStatus.",
    ];
    for slip in slips {
        assert!(internal(slip).is_some(), "{slip}");
    }
    let fine = "Capability `NET_RAW`; group `MC_…` on AKS; a `PodIdentityClass`. Status of it.";
    assert_eq!(internal(fine), None);
}
