//! The CustomResourceDefinitions as YAML: generated from the types, checked in under
//! `crds/manifests/`, compared byte by byte by `cargo xtask check`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::aadpodidentity::{
    AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding, AzurePodIdentityException,
};
use crate::podid::{PodIdentityClass, PodIdentityProfile};

/// First line of every generated file.
const HEADER: &str = "# Generated from the types in crds/src by `cargo xtask gen`. Do not edit.\n";

/// One generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// File name inside `crds/manifests/`.
    pub file: String,
    /// Its whole content.
    pub content: String,
}

/// Why a manifest could not be generated.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The derived definition could not be turned into JSON.
    #[error("the definition of {kind} cannot be written as JSON")]
    Json {
        /// Kind whose definition failed.
        kind: String,
        /// What serde said.
        source: serde_json::Error,
    },
    /// The finished definition could not be turned into YAML.
    #[error("{file} cannot be written as YAML")]
    Yaml {
        /// File that failed.
        file: String,
        /// What the YAML writer said.
        source: serde_saphyr::ser::Error,
    },
}

/// Every definition, finished for the API server and for GitOps tools.
#[must_use]
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![
        AzureAssignedIdentity::crd(),
        AzureIdentity::crd(),
        AzureIdentityBinding::crd(),
        AzurePodIdentityException::crd(),
        PodIdentityClass::crd(),
        PodIdentityProfile::crd(),
    ]
}

/// The definitions as the files hold them.
///
/// # Errors
///
/// As [`manifests`].
pub(crate) fn finished_definitions() -> Result<Vec<Value>, ManifestError> {
    definitions().iter().map(finished).collect()
}

/// Every file of `crds/manifests/`, a kustomize base in itself.
///
/// # Errors
///
/// When a derived definition cannot be serialised, which would be a mistake in the types.
pub fn manifests() -> Result<Vec<Manifest>, ManifestError> {
    let mut files = Vec::new();
    for crd in definitions() {
        let file = format!("{}.yaml", crd.spec.names.plural);
        files.push(yaml(file, &finished(&crd)?)?);
    }
    let resources: Vec<&str> = files
        .iter()
        .map(|manifest| manifest.file.as_str())
        .collect();
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    });
    files.push(yaml("kustomization.yaml".to_owned(), &kustomization)?);
    Ok(files)
}

fn yaml(file: String, value: &Value) -> Result<Manifest, ManifestError> {
    match serde_saphyr::to_string(value) {
        Ok(text) => Ok(Manifest {
            file,
            content: format!("{HEADER}{text}"),
        }),
        Err(source) => Err(ManifestError::Yaml { file, source }),
    }
}

/// The predecessor's types embed metadata in every spec and status; its clients write it, empty.
fn embed_metadata(schema: &mut Value) {
    for part in ["spec", "status"] {
        schema["properties"][part]["properties"]["metadata"] = json!({
            "type": "object",
            "description": "Kept for compatibility; its content is dropped.",
        });
    }
}

/// The definition with what the derive cannot say.
fn finished(crd: &CustomResourceDefinition) -> Result<Value, ManifestError> {
    let kind = crd.spec.names.kind.clone();
    let mut value =
        serde_json::to_value(crd).map_err(|source| ManifestError::Json { kind, source })?;
    let ours = crd.spec.group == "podid.dev";
    // Flux would take `${…}` in a schema for a variable of its own.
    value["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/substitute"] = json!("disabled");
    value["metadata"]["labels"]["app.kubernetes.io/part-of"] = json!("podid");
    for version in value["spec"]["versions"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        if ours {
            // kstatus calls an object without observedGeneration Current; this default makes a
            // profile that podid has not seen yet InProgress.
            version["schema"]["openAPIV3Schema"]["properties"]["status"]["default"] =
                json!({ "observedGeneration": -1 });
            continue;
        }
        embed_metadata(&mut version["schema"]["openAPIV3Schema"]);
        if let Some(version) = version.as_object_mut() {
            // The predecessor has no status subresource: one write carries spec and status.
            version.remove("subresources");
        }
    }
    normalise(&mut value);
    Ok(value)
}

/// Smooths what the schema generator writes:
/// - whole numbers as integers (`1`, not `1.0`), so that the file and what the API server returns
///   do not differ as text;
/// - no `nullable`: the API server then drops an explicit `null` like an absent field, and rules
///   that ask `has(self.field)` never meet one.
fn normalise(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = number
                .as_f64()
                .filter(|n| !number.is_i64() && n.fract() == 0.0)
            {
                #[allow(clippy::cast_possible_truncation)]
                let whole = whole as i64;
                *value = json!(whole);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(fields) => {
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                fields.shift_remove("nullable");
            }
            fields.values_mut().for_each(normalise);
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
