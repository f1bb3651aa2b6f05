//! The reference of the kinds: a table of fields for each, from the generated schemas.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

const INTRODUCTION: &str = "\
<!-- Generated from the types in crds/src by `cargo xtask gen`. Do not edit. -->
# Kinds

Every kind that podid reads or writes, field by field. Rules are checked by the API server when an
object is written. For what to write, see [profiles.md](../profiles.md).
";

/// The whole page.
pub(super) fn page() -> Result<String> {
    let mut page = INTRODUCTION.to_owned();
    for manifest in podid_crds::manifests::manifests()? {
        let crd: Value = serde_saphyr::from_str(&manifest.content)
            .with_context(|| format!("{} cannot be read back", manifest.file))?;
        if crd["kind"] == "CustomResourceDefinition" {
            kind(&mut page, &crd)?;
        }
    }
    Ok(page)
}

fn kind(page: &mut String, crd: &Value) -> Result<()> {
    let spec = &crd["spec"];
    let version = &spec["versions"][0];
    let names = &spec["names"];
    let schema = &version["schema"]["openAPIV3Schema"];
    let scope = if spec["scope"] == "Namespaced" {
        "in a namespace"
    } else {
        "for the cluster"
    };
    writeln!(
        page,
        "\n## {}\n\n`{}/{}`, {scope}. {}\n",
        text(&names["kind"]),
        text(&spec["group"]),
        text(&version["name"]),
        text(&schema["description"])
    )?;
    if let Some(short) = names["shortNames"][0].as_str() {
        writeln!(page, "Short name: `{short}`.\n")?;
    }
    writeln!(page, "| field | type | meaning |\n|---|---|---|")?;
    for part in ["spec", "status"] {
        fields(page, part, &schema["properties"][part])?;
    }
    Ok(())
}

fn fields(page: &mut String, path: &str, schema: &Value) -> Result<()> {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let required = schema["required"]
            .as_array()
            .is_some_and(|required| required.iter().any(|field| field == name.as_str()));
        let mark = if required { " (required)" } else { "" };
        writeln!(
            page,
            "| `{path}`{mark} | {} | {} |",
            type_of(field),
            meaning(field)
        )?;
        // A condition's fields are Kubernetes' own.
        if name == "conditions" {
            continue;
        }
        fields(page, &path, field)?;
        fields(page, &format!("{path}[]"), &field["items"])?;
    }
    Ok(())
}

fn type_of(field: &Value) -> String {
    if let Some(values) = field["enum"].as_array() {
        let words: Vec<String> = values
            .iter()
            .filter(|value| !value.is_null())
            .map(|v| format!("`{}`", text(v)))
            .collect();
        return words.join(", ");
    }
    match text(&field["type"]) {
        "array" => format!("list of {}", type_of(&field["items"])),
        "object" if field["additionalProperties"].is_object() => "map".to_owned(),
        other => other.to_owned(),
    }
}

fn meaning(field: &Value) -> String {
    let mut meaning = text(&field["description"])
        .replace("\n\n", " ")
        .replace('\n', " ");
    if let Some(default) = field.get("default").filter(|default| !default.is_null()) {
        let default = default
            .as_str()
            .map_or_else(|| default.to_string(), str::to_owned);
        meaning.push_str(&format!(" Default: `{default}`."));
    }
    for rule in field["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        meaning.push_str(&format!(
            " Rule: {}.",
            text(&rule["message"]).trim_end_matches('.')
        ));
    }
    // A bar would end the cell.
    meaning.replace('|', "\\|").trim().to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
