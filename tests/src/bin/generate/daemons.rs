//! The reference of the daemons: their flags, from the definitions behind `--help`, and their metrics, from
//! what `/metrics` shows.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use clap::CommandFactory;

const INTRODUCTION: &str = "\
<!-- Generated from operator/src and nmi/src by `cargo xtask gen`. Do not edit. -->
# Daemons

Every flag can also be given by the environment variable that its help names; the flag counts before the
variable.

Each daemon shows its metrics at `/metrics` of its `--admin-addr`. Names of labels are in snake_case; values are
in CamelCase, but for names of programs and versions. Every label has a closed set of values.
";

/// The whole page.
pub(super) fn page() -> Result<String> {
    let mut page = INTRODUCTION.to_owned();
    page += &podid::command_reference(podid_operator::args::Args::command());
    metrics(
        &mut page,
        "podid-operator",
        &podid_operator::app::metrics_at_start(),
    )?;
    page += &podid::command_reference(podid_nmi::args::Args::command());
    metrics(&mut page, "podid-nmi", &podid_nmi::app::metrics_at_start())?;
    Ok(page)
}

/// A table of the metrics in this text of OpenMetrics.
fn metrics(page: &mut String, program: &str, text: &str) -> Result<()> {
    writeln!(page, "\n## Metrics of {program}\n")?;
    writeln!(
        page,
        "| metric | type | labels | meaning |\n|---|---|---|---|"
    )?;
    for block in text.split("# HELP ").skip(1) {
        let (name, _) = block.split_once(' ').context("a metric without help")?;
        row(page, name, block).with_context(|| format!("{name} cannot be read"))?;
    }
    Ok(())
}

/// The row of one metric; `block` is its help, its type and its series.
fn row(page: &mut String, name: &str, block: &str) -> Result<()> {
    let mut lines = block.lines();
    let help = lines.next().and_then(|line| line.split_once(' '));
    let (_, help) = help.context("no help")?;
    let kind = lines.next().and_then(|line| line.rsplit_once(' '));
    let (_, kind) = kind.context("no type")?;
    let series = lines.find(|line| !line.starts_with('#'));
    let series = series.context("no series")?;
    let (sample, labels) = series.split_once('{').unwrap_or((series, ""));
    let shown = match kind {
        // One series for each bucket, the sum and the count.
        "histogram" => name,
        _ => sample.split(' ').next().unwrap_or(sample),
    };
    let names = labels.split(',').filter_map(|label| label.split_once('='));
    let names = names.map(|(label, _)| label).filter(|label| *label != "le");
    let names: Vec<String> = names.map(|label| format!("`{label}`")).collect();
    writeln!(
        page,
        "| `{shown}` | {kind} | {} | {help} |",
        names.join(", ")
    )?;
    Ok(())
}
