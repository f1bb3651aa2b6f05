//! Packages a chart from the files of a repository.

use serde::Deserialize;

use super::api::HelmChartSpec;
use super::archive::{File, pack, unpack};

/// Why a chart cannot be packaged. The text goes into the object's conditions.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChartError {
    /// Something was asked that only the real source-controller can do. Trying again is no use.
    #[error("the lab's stand-in for source-controller does not support {0}")]
    Unsupported(String),
    /// The source is not there yet, or has failed.
    #[error("GitRepository {0} has no artifact yet")]
    NoSource(String),
    #[error("the source has no chart at {0:?}: there is no Chart.yaml")]
    NoChart(String),
    #[error("Chart.yaml at {path:?} is not a chart's")]
    BadChart {
        path: String,
        source: Box<serde_saphyr::Error>,
    },
    #[error("cannot package the chart")]
    Pack(#[from] std::io::Error),
}

/// A packaged chart.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) archive: Vec<u8>,
}

#[derive(Deserialize)]
struct ChartFile {
    name: String,
    version: String,
}

/// Refuses what the stand-in cannot do.
pub(super) fn check(spec: &HelmChartSpec) -> Result<(), ChartError> {
    let source = spec.source_ref.kind.as_str();
    let refused = match source {
        "GitRepository" if !spec.values_files.is_empty() => "spec.valuesFiles".to_owned(),
        "GitRepository" if spec.verify.is_some() => "spec.verify".to_owned(),
        "GitRepository" => return Ok(()),
        other => format!("charts from a {other}; use a GitRepository"),
    };
    Err(ChartError::Unsupported(refused))
}

/// Packages the chart at `spec.chart` of a source's archive; `revision` is the source's.
pub(super) fn package(
    spec: &HelmChartSpec,
    source: &[u8],
    revision: &str,
) -> Result<Package, ChartError> {
    let folder = spec.chart.trim_start_matches("./").trim_matches('/');
    let files = below(unpack(source)?, folder);
    let description = files
        .iter()
        .find(|file| file.path == "Chart.yaml")
        .ok_or_else(|| ChartError::NoChart(spec.chart.clone()))?;
    let text = String::from_utf8_lossy(&description.contents);
    let chart: ChartFile =
        serde_saphyr::from_str(&text).map_err(|source| ChartError::BadChart {
            path: spec.chart.clone(),
            source: Box::new(source),
        })?;
    let version = match spec.reconcile_strategy.as_deref() {
        Some("Revision") => format!("{}+{}", chart.version, short(revision)),
        _ => chart.version,
    };
    let files: Vec<File> = files
        .into_iter()
        .map(|file| File {
            path: format!("{}/{}", chart.name, file.path),
            ..file
        })
        .collect();
    Ok(Package {
        archive: pack(&files)?,
        name: chart.name,
        version,
    })
}

/// The files of a folder, by their paths within it.
fn below(files: Vec<File>, folder: &str) -> Vec<File> {
    let prefix = match folder {
        "" | "." => String::new(),
        _ => format!("{folder}/"),
    };
    let inside = |file: File| {
        let path = file.path.strip_prefix(&prefix)?.to_owned();
        Some(File { path, ..file })
    };
    files.into_iter().filter_map(inside).collect()
}

/// The first twelve digits of a revision's commit.
fn short(revision: &str) -> &str {
    let commit = revision.rsplit(':').next().unwrap_or(revision);
    commit.get(..12).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::super::api::SourceRef;
    use super::*;

    const REVISION: &str = "main@sha1:0123456789abcdef0123456789abcdef01234567";

    fn spec(chart: &str) -> HelmChartSpec {
        HelmChartSpec {
            chart: chart.to_owned(),
            source_ref: SourceRef {
                kind: "GitRepository".to_owned(),
                name: "fleet".to_owned(),
            },
            ..HelmChartSpec::default()
        }
    }

    fn source() -> Vec<u8> {
        let file = |path: &str, text: &str| File {
            path: path.to_owned(),
            contents: text.as_bytes().to_vec(),
            executable: false,
            link: false,
        };
        pack(&[
            file(
                "charts/app/Chart.yaml",
                "apiVersion: v2\nname: app\nversion: 1.2.3\n",
            ),
            file("charts/app/templates/cm.yaml", "kind: ConfigMap\n"),
            file("charts/app-two/Chart.yaml", "name: two\nversion: 9.9.9\n"),
        ])
        .unwrap()
    }

    #[test]
    fn a_chart_is_packaged_under_its_own_name() {
        let package = package(&spec("./charts/app"), &source(), REVISION).unwrap();
        assert_eq!(
            (package.name.as_str(), package.version.as_str()),
            ("app", "1.2.3")
        );
        let paths: Vec<_> = unpack(&package.archive)
            .unwrap()
            .into_iter()
            .map(|file| file.path)
            .collect();
        assert_eq!(paths, ["app/Chart.yaml", "app/templates/cm.yaml"]);
    }

    #[test]
    fn the_revision_can_be_part_of_the_version() {
        let mut spec = spec("charts/app");
        spec.reconcile_strategy = Some("Revision".to_owned());
        let package = package(&spec, &source(), REVISION).unwrap();
        assert_eq!(package.version, "1.2.3+0123456789ab");
    }

    #[test]
    fn what_is_missing_or_unsupported_is_named() {
        let error = package(&spec("charts/none"), &source(), REVISION).unwrap_err();
        assert!(error.to_string().contains("charts/none"), "{error}");
        let mut other = spec("app");
        other.source_ref.kind = "HelmRepository".to_owned();
        let error = check(&other).unwrap_err();
        assert!(error.to_string().contains("HelmRepository"), "{error}");
    }
}
