//! The generated files of `charts/podid`: kinds, policies and rights are the manifests' own text, with names that
//! follow the chart's values, and README.md is made from the comments of values.yaml.

mod crds;
mod edit;
mod monitoring;
mod names;
mod objects;
mod readme;
mod template_warnings;

use anyhow::Result;

use crate::generated::Generated;

pub(super) fn files() -> Result<Vec<Generated>> {
    let mut files = crds::files()?;
    files.extend(objects::files()?);
    files.extend(template_warnings::files()?);
    files.extend(monitoring::files()?);
    files.push(readme::file()?);
    Ok(files)
}
