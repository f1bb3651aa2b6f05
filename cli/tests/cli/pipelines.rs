//! The pipelines under `docs/examples/pipelines`: their YAML, their shell scripts, and the commands in those.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use podid::Exit;
use serde_json::Value;

use crate::fixture::podid;

/// Keys under which pipelines have shell scripts.
const SCRIPT_KEYS: [&str; 5] = [
    "run",
    "script",
    "inlineScript",
    "before_script",
    "after_script",
];

/// What the pipelines take from their surroundings.
const FACTS: &str = "CLUSTER=prod-1 CLIENT_ID=aaaaaaaa-0000-0000-0000-000000000003 BASE=main \
    CHART=oci://registry.example.org/podid REPOSITORY=https://git.example.org/fleet \
    CI_PROJECT_URL=https://git.example.org/fleet CI_MERGE_REQUEST_DIFF_BASE_SHA=main";

/// Stands for any value; a GUID is asked for in places.
const WORD: &str = "aaaaaaaa-0000-0000-0000-000000000003";

fn pipelines() -> Vec<PathBuf> {
    let folder = Path::new("../docs/examples/pipelines");
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    files
}

/// Every script of a pipeline.
fn scripts(file: &Path) -> Vec<String> {
    // An error for a key that is there twice, and for tabs.
    let text = fs::read_to_string(file).unwrap();
    let pipeline: Value =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut found = Vec::new();
    collect(&pipeline, &mut found);
    assert!(found.len() >= 3, "{}: {found:?}", file.display());
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if SCRIPT_KEYS.contains(&name.as_str()) {
                    found.extend(field.as_str().map(str::to_owned));
                    let lines = field.as_array().into_iter().flatten();
                    found.extend(lines.filter_map(Value::as_str).map(str::to_owned));
                } else {
                    collect(field, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// The script with a word in the place of what the pipeline puts in before the shell sees it: `$(NAME)` of Azure
/// Pipelines, `${{ … }}` of GitHub.
fn filled_in(script: &str) -> String {
    let mut text = script.to_owned();
    for (open, close) in [("$(", ")"), ("${{", "}}")] {
        while let Some(start) = text.find(open) {
            let length = text[start..].find(close).unwrap() + close.len();
            text.replace_range(start..start + length, WORD);
        }
    }
    text
}

fn bash(arguments: &[&str]) -> String {
    let output = Command::new("bash").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_script_is_shell() {
    for file in pipelines() {
        for script in scripts(&file) {
            bash(&["-n", "-c", &filled_in(&script)]);
        }
    }
}

/// The arguments of each `./podid` of a script, as the shell gives them.
fn calls(script: &str) -> Vec<Vec<String>> {
    let joined = filled_in(script).replace("\\\n", " ");
    let calls = joined
        .lines()
        .filter_map(|line| line.split_once("./podid "));
    let arguments = calls.map(|(_, call)| {
        // Up to where its output goes.
        let call = call.split(" > ").next().unwrap();
        let show = format!("{FACTS}; printf '%s\\n' {call}");
        let shown = bash(&["-c", &show]);
        shown.lines().map(str::to_owned).collect()
    });
    arguments.collect()
}

#[test]
fn every_call_of_podid_is_one_that_it_takes() {
    for file in pipelines() {
        let scripts = scripts(&file);
        let calls: Vec<_> = scripts.iter().flat_map(|text| calls(text)).collect();
        let names: Vec<&str> = calls.iter().map(|call| call[0].as_str()).collect();
        assert_eq!(names, ["plan", "bootstrap"], "{}", file.display());
        for call in &calls {
            let call: Vec<&str> = call.iter().map(String::as_str).collect();
            // The help is shown when everything before it has been understood.
            let ran = podid(&[&call[..], &["--help"]].concat());
            assert_eq!(ran.exit, Exit::Done, "{}: {}", file.display(), ran.err);
            // Nothing that it needs is left out: it comes as far as the files, which are not there.
            let ran = podid(&call);
            assert_eq!(ran.exit, Exit::Failed, "{call:?}");
            assert!(!ran.err.contains("Usage:"), "{call:?}: {}", ran.err);
        }
    }
}

/// What each system knows at the places that people get wrong: the whole, a job, a step. A place is a path; `*`
/// stands for every key or item.
const KEYS: [(&str, &str, &[&str]); 9] = [
    (
        "azure-pipelines.yml",
        "",
        &[
            "trigger",
            "pr",
            "parameters",
            "variables",
            "resources",
            "pool",
            "stages",
            "jobs",
            "steps",
            "name",
        ],
    ),
    (
        "azure-pipelines.yml",
        "parameters/*",
        &["name", "displayName", "type", "default", "values"],
    ),
    (
        "azure-pipelines.yml",
        "jobs/*",
        &[
            "job",
            "displayName",
            "dependsOn",
            "condition",
            "variables",
            "pool",
            "steps",
            "timeoutInMinutes",
        ],
    ),
    (
        "azure-pipelines.yml",
        "jobs/*/steps/*",
        &[
            "checkout",
            "fetchDepth",
            "script",
            "bash",
            "task",
            "inputs",
            "displayName",
            "name",
            "env",
            "condition",
        ],
    ),
    (
        "github-actions.yml",
        "",
        &[
            "name",
            "run-name",
            "on",
            "permissions",
            "env",
            "defaults",
            "concurrency",
            "jobs",
        ],
    ),
    (
        "github-actions.yml",
        "jobs/*",
        &[
            "name",
            "if",
            "needs",
            "runs-on",
            "permissions",
            "environment",
            "env",
            "steps",
            "timeout-minutes",
        ],
    ),
    (
        "github-actions.yml",
        "jobs/*/steps/*",
        &[
            "name",
            "id",
            "if",
            "uses",
            "with",
            "run",
            "env",
            "shell",
            "working-directory",
        ],
    ),
    (
        "gitlab-ci.yml",
        "*",
        &[
            "extends",
            "stage",
            "image",
            "rules",
            "variables",
            "before_script",
            "script",
            "after_script",
            "id_tokens",
            "needs",
            "artifacts",
        ],
    ),
    (
        "gitlab-ci.yml",
        "*/rules/*",
        &[
            "if",
            "when",
            "changes",
            "exists",
            "allow_failure",
            "variables",
        ],
    ),
];

/// All values at a place.
fn at<'a>(value: &'a Value, place: &str) -> Vec<&'a Value> {
    let Some((first, rest)) = place
        .split_once('/')
        .or((!place.is_empty()).then_some((place, "")))
    else {
        return vec![value];
    };
    let below: Vec<&Value> = match (first, value) {
        ("*", Value::Object(fields)) => fields.values().collect(),
        ("*", Value::Array(items)) => items.iter().collect(),
        (key, value) => value.get(key).into_iter().collect(),
    };
    below.into_iter().flat_map(|it| at(it, rest)).collect()
}

#[test]
fn every_key_is_one_that_its_system_knows() {
    for (file, place, known) in KEYS {
        let path = Path::new("../docs/examples/pipelines").join(file);
        let pipeline: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let found: Vec<_> = at(&pipeline, place)
            .into_iter()
            .filter_map(Value::as_object)
            .collect();
        assert!(!found.is_empty(), "{file}: {place}");
        for key in found.iter().flat_map(|it| it.keys()) {
            assert!(known.contains(&key.as_str()), "{file}: {place}: {key}");
        }
    }
}

#[test]
fn every_step_does_one_thing() {
    for (file, does) in [
        (
            "azure-pipelines.yml",
            &["checkout", "script", "bash", "task"][..],
        ),
        ("github-actions.yml", &["uses", "run"]),
    ] {
        let path = Path::new("../docs/examples/pipelines").join(file);
        let pipeline: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        for step in at(&pipeline, "jobs/*/steps/*") {
            let count = does.iter().filter(|key| step.get(**key).is_some()).count();
            assert_eq!(count, 1, "{file}: {step}");
        }
    }
}

#[test]
fn every_variable_of_a_script_of_github_is_in_its_env() {
    let path = Path::new("../docs/examples/pipelines/github-actions.yml");
    let pipeline: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut seen = 0;
    for step in at(&pipeline, "jobs/*/steps/*") {
        for variable in step["run"].as_str().unwrap_or_default().split('$').skip(1) {
            let is_name = |c: &char| c.is_ascii_uppercase() || *c == '_' || c.is_ascii_digit();
            let name: String = variable.chars().take_while(is_name).collect();
            if !name.is_empty()
                && !["GITHUB_", "RUNNER_"]
                    .iter()
                    .any(|own| name.starts_with(own))
            {
                seen += 1;
                assert!(
                    step["env"].get(&name).is_some(),
                    "{name} is not in the env of {step}"
                );
            }
        }
    }
    assert!(seen > 8, "{seen}");
}
