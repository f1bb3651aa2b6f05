//! README.md of the chart: a table of its values, from the comments in values.yaml that begin with `--`.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::edit::source;
use super::names::CHART;
use crate::generated::Generated;

const INTRODUCTION: &str = "\
<!-- Generated from values.yaml by `cargo xtask gen`. Do not edit. -->
# Chart podid

Installs podid's operator, node daemon, kinds, policies and rights: the objects of `kustomize/base`, with values in
place of overlays. [install.md](../../docs/install.md#with-helm) says how to use it, and what an upgrade and a removal
need.

## Values

| value | default | is |
|---|---|---|
";

/// A value that has a description.
struct Described {
    /// Its keys, from the outermost.
    path: Vec<String>,
    words: String,
}

pub(super) fn file() -> Result<Generated> {
    let path = Path::new(CHART).join("values.yaml");
    let text = source(&path.to_string_lossy())?;
    let values = serde_saphyr::from_str(&text).context("values.yaml cannot be read")?;
    Ok(Generated {
        path: Path::new(CHART).join("README.md"),
        content: page(&text, &values)?,
    })
}

fn page(text: &str, values: &Value) -> Result<String> {
    let described = described(text);
    undescribed(&mut Vec::new(), values, &described)?;
    let mut page = INTRODUCTION.to_owned();
    for Described { path, words } in &described {
        let pointer = format!("/{}", path.join("/"));
        let value = values.pointer(&pointer);
        let value = value.with_context(|| format!("no value at {pointer}"))?;
        writeln!(page, "| `{}` | `{value}` | {words} |", path.join("."))?;
    }
    Ok(page)
}

/// All values with a description, in the order of the file.
fn described(text: &str) -> Vec<Described> {
    let mut found = Vec::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut words = String::new();
    for line in text.lines() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if let Some(comment) = content.strip_prefix('#') {
            match comment.strip_prefix(" -- ") {
                Some(begin) => begin.clone_into(&mut words),
                None if !words.is_empty() => words += comment,
                None => {}
            }
            continue;
        }
        let key = content.split_once(':').map(|(key, _)| key);
        if let Some(key) = key.filter(|key| !key.starts_with('-')) {
            path.retain(|(outer, _)| *outer < indent);
            path.push((indent, key.to_owned()));
            if !words.is_empty() {
                found.push(Described {
                    path: path.iter().map(|(_, key)| key.clone()).collect(),
                    words: std::mem::take(&mut words),
                });
            }
        }
    }
    found
}

/// Fails at the first value without a description, of its own or of a map around it.
fn undescribed(path: &mut Vec<String>, value: &Value, described: &[Described]) -> Result<()> {
    if described.iter().any(|known| known.path == *path) {
        return Ok(());
    }
    let Some(map) = value.as_object().filter(|map| !map.is_empty()) else {
        bail!("{} of values.yaml has no comment `# -- …`", path.join("."));
    };
    for (key, value) in map {
        path.push(key.clone());
        undescribed(path, value, described)?;
        path.pop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str =
        "# Of no value.\n\na:\n  # -- One,\n  # in two lines\n  b: 1\n# -- A list\nc:\n  - d: 2\n";

    #[test]
    fn a_comment_describes_the_value_below_it() {
        let page = page(TEXT, &json!({"a": {"b": 1}, "c": [{"d": 2}]})).unwrap();
        assert!(
            page.ends_with(
                "| `a.b` | `1` | One, in two lines |\n| `c` | `[{\"d\":2}]` | A list |\n"
            )
        );
    }

    #[test]
    fn a_value_without_a_description_is_named() {
        let values = json!({"a": {"b": 1, "e": 3}, "c": []});
        let error = page(TEXT, &values).unwrap_err().to_string();
        assert!(error.starts_with("a.e "), "{error}");
    }
}
