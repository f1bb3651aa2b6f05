//! The benchmark of the policies runs. What it measures depends on the machine, and is no test.

use std::process::Command;

use podid_tests::programs::folder;
use serde_json::Value;

fn run(output: &str) -> String {
    let few = [
        "--uncounted=1",
        "--pods=4",
        "--pods-beside-many=2",
        "--turns=2",
        "--profiles=3",
        "--namespaces=2",
        "--profiles-per-namespace=2",
    ];
    let mut command = Command::new(folder().join("bench-admission"));
    let done = command.args(few).args(["-o", output]).output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn the_benchmark_of_admission_prints_all_rows() {
    let report: Value = serde_json::from_str(&run("json")).unwrap();
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
