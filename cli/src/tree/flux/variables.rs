//! Which variables a Flux Kustomization substitutes.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde_json::Value;

use crate::tree::object::DeclaredObject;
use crate::tree::substitute::Variables;

/// A ConfigMap or Secret to substitute from.
struct Reference {
    kind: String,
    name: String,
    optional: bool,
}

/// Whether `kustomization` substitutes from an object that is not among `objects`.
pub(super) fn lacks(kustomization: &DeclaredObject, objects: &[DeclaredObject]) -> bool {
    let mut needed = references(kustomization).filter(|reference| !reference.optional);
    needed.any(|reference| find(kustomization, &reference, objects).is_none())
}

/// The variables of `kustomization`, of which `given` count most; `None` when nothing is substituted.
pub(super) fn of(
    kustomization: &DeclaredObject,
    objects: &[DeclaredObject],
    given: &[(String, String)],
) -> Option<Variables> {
    let post_build = &kustomization.value["spec"]["postBuild"];
    if post_build.is_null() {
        return None;
    }
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for reference in references(kustomization) {
        let named = format!("{} {}", reference.kind, reference.name);
        match find(kustomization, &reference, objects) {
            Some(object) if is_encrypted(object) => missing.push(format!("{named} is encrypted")),
            Some(object) => values.extend(data(object)),
            None if reference.optional => {}
            None => missing.push(format!("{named} is not in the tree")),
        }
    }
    values.extend(strings(&post_build["substitute"]));
    values.extend(given.iter().cloned());
    let always = post_build["substituteStrategy"] == "Always";
    let asked = !values.is_empty() || !missing.is_empty() || always;
    asked.then(|| Variables {
        values,
        is_partial: !missing.is_empty(),
        missing,
        by: kustomization.described(),
    })
}

/// The variables of a folder whose Kustomization is elsewhere, as that of a team's repository is; `None` when none
/// are given.
pub(super) fn of_flags(given: &[(String, String)]) -> Option<Variables> {
    (!given.is_empty()).then(|| Variables {
        values: given.iter().cloned().collect(),
        missing: Vec::new(),
        by: "a Kustomization of this tree".to_owned(),
        is_partial: true,
    })
}

fn references(kustomization: &DeclaredObject) -> impl Iterator<Item = Reference> + '_ {
    let from = &kustomization.value["spec"]["postBuild"]["substituteFrom"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let references = from.as_array().into_iter().flatten();
    references.map(move |reference| Reference {
        kind: text(&reference["kind"]),
        name: text(&reference["name"]),
        optional: reference["optional"] == true,
    })
}

fn find<'a>(
    kustomization: &DeclaredObject,
    reference: &Reference,
    objects: &'a [DeclaredObject],
) -> Option<&'a DeclaredObject> {
    objects.iter().find(|object| {
        object.kind() == reference.kind
            && object.group().is_empty()
            && object.name() == reference.name
            && object.namespace() == kustomization.namespace()
    })
}

/// Whether SOPS has encrypted it: its values are in the cluster only.
fn is_encrypted(object: &DeclaredObject) -> bool {
    !object.value["sops"].is_null()
}

/// What a ConfigMap or Secret holds as text.
fn data(object: &DeclaredObject) -> BTreeMap<String, String> {
    let data = strings(&object.value["data"]);
    if object.kind() != "Secret" {
        return data.collect();
    }
    let decoded = data.filter_map(|(name, value)| {
        let bytes: ByteString = serde_json::from_value(value.into()).ok()?;
        Some((name, String::from_utf8(bytes.0).ok()?))
    });
    decoded
        .chain(strings(&object.value["stringData"]))
        .collect()
}

fn strings(map: &Value) -> impl Iterator<Item = (String, String)> + '_ {
    let entries = map.as_object().into_iter().flatten();
    entries.map(|(name, value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), text)
    })
}
