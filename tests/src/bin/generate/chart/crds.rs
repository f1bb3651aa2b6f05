//! The kinds: as files that Helm installs before all else, and as objects of a release.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::edit::{Edit, apply, plain};
use super::names::{CHART, HEADER};
use crate::generated::Generated;

const LABELS: Edit = Edit {
    from: "\n  labels:\n    app.kubernetes.io/part-of: podid\n",
    to: "
  labels:
    {{- include \"podid.labels\" (dict \"root\" $) | nindent 4 }}
",
    times: 1,
};

/// `keep` lets the kind, and with it all objects of the kind, outlive the release.
const ANNOTATIONS: Edit = Edit {
    from: "    kustomize.toolkit.fluxcd.io/substitute: disabled\n",
    to: "    kustomize.toolkit.fluxcd.io/substitute: disabled
    {{- if .Values.crds.keep }}
    helm.sh/resource-policy: keep
    {{- end }}
    {{- with mergeOverwrite (dict) .Values.commonAnnotations .Values.crds.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
",
    times: 1,
};

pub(super) fn files() -> Result<Vec<Generated>> {
    let mut files = Vec::new();
    for manifest in podid_crds::manifests::manifests()? {
        if manifest.file == "kustomization.yaml" {
            continue;
        }
        let template = template(&manifest.content)
            .with_context(|| format!("{} cannot become a template", manifest.file))?;
        let folder = PathBuf::from(CHART);
        files.push(Generated {
            path: folder.join("templates/crds").join(&manifest.file),
            content: template,
        });
        files.push(Generated {
            path: folder.join("crds").join(manifest.file),
            content: manifest.content,
        });
    }
    Ok(files)
}

fn template(manifest: &str) -> Result<String> {
    plain(manifest)?;
    let text = apply(manifest, &[LABELS, ANNOTATIONS])?;
    let (_, definition) = text.split_once('\n').context("it is empty")?;
    Ok(format!(
        "{HEADER}{{{{- if .Values.crds.install }}}}\n{definition}{{{{- end }}}}\n"
    ))
}
