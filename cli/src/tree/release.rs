//! What the chart of podid makes of the values of a HelmRelease, as far as a plan tells about it: classes, profiles and
//! other objects.

use std::rc::Rc;

use serde_json::{Value, json};

use super::manifest_tree::Rendered;
use super::object::{DeclaredObject, Holder, items};

/// API group of HelmRelease.
const GROUP: &str = "helm.toolkit.fluxcd.io";
/// API version of podid's kinds.
const API_VERSION: &str = "podid.dev/v1alpha1";
/// Name of the chart.
const CHART: &str = "podid";

/// What a release makes.
#[derive(Debug, Default)]
struct Made {
    objects: Vec<DeclaredObject>,
    /// What is left out, and why.
    notes: Vec<String>,
}

impl Rendered {
    /// The same with what podid's chart makes in the place of its releases.
    pub(super) fn with_releases(mut self) -> Self {
        let objects = std::mem::take(&mut self.objects);
        let (releases, others): (Vec<_>, Vec<_>) = objects
            .iter()
            .partition(|object| is_of_podid(object, &objects));
        self.objects = others.into_iter().cloned().collect();
        for release in releases {
            let made = made(release);
            self.objects.extend(made.objects);
            self.notes.extend(made.notes);
        }
        self
    }
}

/// Whether an object is a release of podid's chart, which its source tells.
fn is_of_podid(object: &DeclaredObject, objects: &[DeclaredObject]) -> bool {
    if object.group() != GROUP || object.kind() != "HelmRelease" {
        return false;
    }
    let spec = &object.value["spec"];
    if let Some(chart) = spec["chart"]["spec"]["chart"].as_str() {
        return last(chart) == CHART;
    }
    let reference = &spec["chartRef"];
    let namespace = reference["namespace"].as_str().or(object.namespace());
    let source = objects.iter().find(|it| {
        reference["kind"] == it.kind()
            && reference["name"] == it.name()
            && it.namespace() == namespace
    });
    let chart = source.and_then(|it| {
        let spec = &it.value["spec"];
        spec["url"].as_str().or(spec["chart"].as_str())
    });
    chart.is_some_and(|chart| last(chart) == CHART)
}

fn last(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}

/// The objects of a release's values.
fn made(release: &DeclaredObject) -> Made {
    let mut made = Made::default();
    let spec = &release.value["spec"];
    if spec["suspend"] == true {
        let note = format!(
            "what {} installs is not planned: it is suspended",
            release.described()
        );
        made.notes.push(note);
        return made;
    }
    if spec["valuesFrom"]
        .as_array()
        .is_some_and(|it| !it.is_empty())
    {
        let note = format!(
            "what {} takes from valuesFrom is not looked at; its own values are",
            release.described()
        );
        made.notes.push(note);
    }
    for (field, kind) in [
        ("classes", "PodIdentityClass"),
        ("profiles", "PodIdentityProfile"),
    ] {
        for (at, value) in listed(spec, field) {
            let object = json!({
                "apiVersion": API_VERSION,
                "kind": kind,
                "metadata": metadata(value),
                "spec": value["spec"],
            });
            made.objects
                .push(held(release, object, &format!("spec.values.{field}[{at}]")));
        }
    }
    for (at, value) in listed(spec, "extraObjects") {
        made.extra(release, at, value);
    }
    made
}

fn listed<'a>(spec: &'a Value, field: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    let list = spec["values"][field].as_array();
    list.into_iter().flatten().enumerate()
}

/// Name, namespace, labels and annotations, of which the chart takes those that are there.
fn metadata(value: &Value) -> Value {
    let mut metadata = json!({});
    for field in ["name", "namespace", "labels", "annotations"] {
        if !value[field].is_null() {
            metadata[field] = value[field].clone();
        }
    }
    metadata
}

impl Made {
    /// An object, or the text of some. Helm's templates in it are known to Helm only.
    fn extra(&mut self, release: &DeclaredObject, at: usize, value: &Value) {
        let field = format!("spec.values.extraObjects[{at}]");
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let documents = match text.contains("{{") {
            true => None,
            false => serde_saphyr::from_multiple::<Value>(&text).ok(),
        };
        let Some(documents) = documents else {
            let what = release.described();
            self.notes.push(format!(
                "{field} of {what} is not planned: only Helm can read it"
            ));
            return;
        };
        for mut object in documents.into_iter().flat_map(items) {
            let is_profile = object["kind"] == "PodIdentityProfile";
            if is_profile && object["metadata"]["namespace"].is_null() {
                let target = &release.value["spec"]["targetNamespace"];
                let namespace = target.as_str().or(release.namespace());
                object["metadata"]["namespace"] = json!(namespace);
            }
            self.objects.push(held(release, object, &field));
        }
    }
}

fn held(release: &DeclaredObject, value: Value, field: &str) -> DeclaredObject {
    DeclaredObject {
        value,
        source: release.source.clone(),
        holder: Some(Rc::new(Holder {
            kind: release.kind().to_owned(),
            namespace: release.namespace().map(str::to_owned),
            name: release.name().to_owned(),
            field: field.to_owned(),
        })),
    }
}
