//! The benchmark runs. What it measures depends on the machine, and is no test.

use std::process::Command;

use podid_tests::programs::folder;
use serde_json::Value;

#[test]
fn the_benchmark_prints_all_rows() {
    let run = |output: &str| {
        let bounds = ["--milliseconds", "50", "--requests", "200"];
        let mut command = Command::new(folder().join("bench-node"));
        let done = command.args(bounds).args(["-o", output]).output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap()
    };
    let report: Value = serde_json::from_str(&run("json")).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let named = rows.iter().map(|row| {
        (
            row["what"].as_str().unwrap(),
            row["connections"].as_u64().unwrap(),
        )
    });
    let named: Vec<_> = named.collect();
    assert_eq!(
        named,
        [
            ("kept token", 1),
            ("kept token", 8),
            ("kept token", 64),
            ("connection per request", 1),
            ("no: a foreign id", 1),
            ("no: an unmatched pod", 1),
        ]
    );
    for row in rows {
        for server in ["bare", "daemon"] {
            assert!(row[server]["rate"].as_f64().unwrap() > 0.0, "{row}");
        }
    }
    assert_eq!(report["imds_requests"], 1, "all but the first were kept");
    assert!(report["resident_kib"].as_u64().unwrap() > 0);
    let table = run("table");
    assert_eq!(
        table.matches("\nconnection per request").count(),
        2,
        "{table}"
    );
    assert!(table.contains("resident memory of the daemon: "), "{table}");
}
