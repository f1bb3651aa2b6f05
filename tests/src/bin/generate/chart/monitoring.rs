//! Alerts and dashboard: those of `kustomize/components/monitoring`. The chart reads them as files, because both
//! may have braces that are not Helm's.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use podid_tests::programs;

use super::names::CHART;
use crate::generated::Generated;

const FOLDER: &str = "kustomize/components/monitoring";

pub(super) fn files() -> Result<Vec<Generated>> {
    let alerts = read("alerts.yaml")?;
    let groups = alerts.split_once("\nspec:\n");
    let (_, groups) = groups.context("alerts.yaml has no line `spec:`")?;
    Ok(vec![
        generated("alerts.yaml", groups.to_owned()),
        generated("dashboard.json", read("dashboard.json")?),
    ])
}

fn read(name: &str) -> Result<String> {
    let path = Path::new(FOLDER).join(name);
    let text = fs::read_to_string(programs::repository().join(&path));
    text.with_context(|| format!("cannot read {}", path.display()))
}

fn generated(name: &str, content: String) -> Generated {
    Generated {
        path: Path::new(CHART).join("files").join(name),
        content,
    }
}
