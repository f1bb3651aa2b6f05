//! `cargo xtask test`: every check and every ring of tests, set up and counted.

mod count;
mod releases;
mod ring;
mod rings;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use self::count::Count;
pub(crate) use self::releases::Release;
pub(crate) use self::ring::Ring;
use crate::{check, ui};

/// Runs the named rings, or the checks and all rings when none is named. The cluster ring may be run on one `release` of
/// Kubernetes alone.
pub(crate) fn run(
    rings: &[Ring],
    release: Option<Release>,
    arguments: &[String],
) -> Result<ExitCode> {
    ensure!(
        release.is_none() || rings == [Ring::Cluster],
        "--kubernetes chooses for the cluster ring alone: `cargo xtask test cluster --kubernetes …`"
    );
    let start = Instant::now();
    let mut failed = Vec::new();
    if rings.is_empty() && check::run()? != ExitCode::SUCCESS {
        failed.push("check".to_owned());
    }
    let rings = if rings.is_empty() {
        Ring::value_variants()
    } else {
        rings
    };
    let mut total = Count::default();
    for ring in rings {
        let name = name(*ring);
        ui::step(&format!("Ring: {name}"));
        let count = rings::run(*ring, release, arguments).inspect_err(ui::failure);
        let is_good = count.as_ref().is_ok_and(|count| count.is_good());
        total += count.unwrap_or_default();
        if !is_good {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        ui::good("everything that was run", Some(start.elapsed()));
    } else {
        ui::bad(&format!("failed: {}", failed.join(", ")));
    }
    println!("\n{total}");
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A ring's name, as it is typed.
fn name(ring: Ring) -> String {
    let value = ring.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
