//! `cargo xtask test`: every check and every ring of tests, set up and counted.

mod count;
mod ring;
mod rings;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;

use self::count::Count;
pub(crate) use self::ring::Ring;
use crate::{check, ui};

/// Runs the named rings, or the checks and all rings when none is named.
pub(crate) fn run(rings: &[Ring], arguments: &[String]) -> Result<ExitCode> {
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
        let name = ring
            .to_possible_value()
            .map(|value| value.get_name().to_owned());
        let name = name.unwrap_or_default();
        ui::step(&format!("Ring: {name}"));
        match rings::run(*ring, arguments) {
            Ok(count) if count.is_good() => total += count,
            Ok(count) => {
                total += count;
                failed.push(name);
            }
            Err(error) => {
                ui::failure(&error);
                failed.push(name);
            }
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
