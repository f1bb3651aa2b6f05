//! The benchmarks of the policies and of the operator run. What they measure depends on the machine, and is no test.

use std::process::Command;

use podid_tests::programs::folder;
use serde_json::Value;

/// What a benchmark of little work prints as JSON.
fn run(program: &str, little: &[&str]) -> Value {
    let mut command = Command::new(folder().join(program));
    let done = command.args(little).args(["-o", "json"]).output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{errors}");
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn the_benchmark_of_admission_prints_all_rows() {
    let little = [
        "--uncounted=1",
        "--pods=4",
        "--pods-beside-many=2",
        "--turns=2",
        "--profiles=3",
        "--namespaces=2",
        "--profiles-per-namespace=2",
    ];
    let report = run("bench-admission", &little);
    let rows = report["rows"].as_array().unwrap();
    let number = |row: &Value, field: &str| row[field].as_u64().unwrap();
    let named = rows.iter().map(|row| {
        let what = row["what"].as_str().unwrap();
        (what, number(row, "profiles"), number(row, "pods"))
    });
    let named: Vec<_> = named.collect();
    assert_eq!(
        named,
        [
            ("unlabelled pod", 1, 4),
            ("bound pod", 1, 4),
            ("unlabelled pod", 3, 2),
            ("bound pod", 3, 2),
            ("unlabelled pod", 4, 2),
            ("bound pod", 4, 2),
        ]
    );
    for row in rows {
        for side in ["with", "without"] {
            assert!(number(&row[side], "p50_us") > 0, "{row}");
        }
        assert!(row["p50_ratio"].as_f64().unwrap() > 0.0, "{row}");
    }
}

#[test]
fn the_benchmark_of_the_operator_prints_all_parts() {
    let little = [
        "--pods=8",
        "--profiles=4",
        "--idle-profiles=2",
        "--throttled-profiles=3",
        "--change-seconds=4",
        "--interval-seconds=2",
        "--crowds=5,10",
    ];
    let report = run("bench-operator", &little);
    let phases = report["phases"].as_array().unwrap();
    let names: Vec<_> = phases.iter().map(|phase| &phase["what"]).collect();
    assert_eq!(
        names,
        [
            "profiles made",
            "pods, for the first time",
            "pods replaced one by one, twice",
            "pods deleted",
            "pods, when latencies are known",
        ]
    );
    for with_a_bound in [1, 3, 4] {
        let ratio = phases[with_a_bound]["ratio"].as_f64().unwrap();
        assert!(ratio >= 1.0, "faster than Azure lets it be: {report}");
    }
    assert_eq!(report["interval"]["azure_writes"], 0, "{report}");
    // Each of the 24 pods is written to the API server for at least once.
    assert_eq!(report["lives"], 24);
    assert!(report["life"]["cluster_writes"].as_u64().unwrap() >= 24);
    assert_eq!(report["crowds"].as_array().unwrap().len(), 2);
}
