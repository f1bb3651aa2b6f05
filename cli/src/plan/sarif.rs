//! What is wrong, as SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>), which code
//! hosts show beside the lines of a pull request.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::declared::{DeclaredError, Refused};
use super::error::PlanError;
use super::report::PlanReport;
use crate::output;
use crate::tree::Place;

/// Rules, as id and description; every result is of one of them.
const RULES: [(&str, &str); 5] = [
    ("InvalidObject", "The API server would refuse the object"),
    (
        "NotAllowedByClass",
        "The class does not allow what the profile asks for",
    ),
    ("InvalidClass", "The class cannot be used"),
    ("PlanRefused", "podid would not carry out the plan"),
    ("NoPlan", "There is no plan"),
];

/// The violations of a plan.
pub(super) fn of_plan(report: &PlanReport) -> Value {
    let mut results = Vec::new();
    for plan in &report.profiles {
        let name = plan.name();
        for found in &plan.class_violations {
            let text = format!("class {}: {}", plan.class, found.violation);
            results.push(result("InvalidClass", &text, found.place.as_ref()));
        }
        for found in &plan.violations {
            let text = format!("{name}: {}", found.violation);
            let place = found.place.as_ref().or(plan.place.as_ref());
            results.push(result("NotAllowedByClass", &text, place));
        }
        for refusal in &plan.refusals {
            let text = format!("{name}: {refusal}");
            results.push(result("PlanRefused", &text, plan.place.as_ref()));
        }
    }
    log(results)
}

/// Why there is no plan.
pub(super) fn of_error(error: &PlanError) -> Value {
    match error {
        PlanError::Declared(DeclaredError::Refused(refused)) => of_refused(refused),
        other => {
            // Code hosts take no result without a place.
            let place = other.place().unwrap_or_else(|| Place {
                file: PathBuf::from("."),
                line: 1,
            });
            log(vec![result(
                "NoPlan",
                &output::sentence(other),
                Some(&place),
            )])
        }
    }
}

/// The fields that the API server would refuse.
fn of_refused(refused: &Refused) -> Value {
    let results = refused.0.iter().map(|field| {
        let text = format!("{}: {}", field.object, field.finding);
        result("InvalidObject", &text, field.place.as_ref())
    });
    log(results.collect())
}

fn result(rule: &str, text: &str, place: Option<&Place>) -> Value {
    let mut result = json!({"ruleId": rule, "level": "error", "message": {"text": text}});
    if let Some(Place { file, line }) = place {
        result["locations"] = json!([{"physicalLocation": {
            "artifactLocation": {"uri": uri(&file.to_string_lossy())},
            "region": {"startLine": line},
        }}]);
    }
    result
}

/// A path as a relative URI.
fn uri(path: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    path.trim_start_matches("./")
        .bytes()
        .map(|byte| match kept(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn log(results: Vec<Value>) -> Value {
    let rules = RULES.map(|(id, text)| json!({"id": id, "shortDescription": {"text": text}}));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "podid plan",
                "informationUri": "https://podid.dev",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "results": results,
        }],
    })
}
