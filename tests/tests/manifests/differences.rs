//! What may differ between the chart and the overlays: `differences.yaml`, and how it is taken away.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

/// One of the ways to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    Chart,
    Kustomize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Differences {
    hashed_names: Vec<String>,
    objects: Vec<ObjectDifference>,
    fields: Vec<FieldDifference>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectDifference {
    kind: String,
    name: String,
    only: Way,
    why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldDifference {
    path: Vec<String>,
    /// All kinds, when there are none.
    #[serde(default)]
    kinds: Vec<String>,
    only: Way,
    why: String,
}

impl Differences {
    pub(crate) fn read() -> Self {
        let differences: Self = serde_saphyr::from_str(include_str!("differences.yaml")).unwrap();
        let objects = differences.objects.iter().map(|object| &object.why);
        let mut reasons = objects.chain(differences.fields.iter().map(|field| &field.why));
        assert!(reasons.all(|why| !why.is_empty()));
        differences
    }

    /// Takes away what only this way has; adds the entries that took something to `used`.
    pub(crate) fn take(&self, way: Way, objects: &mut Vec<Value>, used: &mut BTreeSet<String>) {
        for known in self.objects.iter().filter(|known| known.only == way) {
            let before = objects.len();
            objects.retain(|object| {
                object["kind"] != *known.kind || object["metadata"]["name"] != *known.name
            });
            if objects.len() < before {
                used.insert(format!("{known:?}"));
            }
        }
        for object in objects {
            for known in self.fields.iter().filter(|known| known.only == way) {
                let kind = object["kind"].as_str().unwrap();
                let of_kind = known.kinds.is_empty() || known.kinds.iter().any(|one| one == kind);
                if of_kind && remove(object, &known.path) {
                    used.insert(format!("{known:?}"));
                }
            }
            if way == Way::Kustomize {
                self.without_hashes(object);
            }
        }
    }

    /// The entries that took nothing away.
    pub(crate) fn unused(&self, used: &BTreeSet<String>) -> Vec<String> {
        let objects = self.objects.iter().map(|known| format!("{known:?}"));
        let fields = self.fields.iter().map(|known| format!("{known:?}"));
        objects
            .chain(fields)
            .filter(|known| !used.contains(known))
            .collect()
    }

    fn without_hashes(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                let plain = self.hashed_names.iter().find(|name| is_hashed(text, name));
                if let Some(plain) = plain {
                    plain.clone_into(text);
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|item| self.without_hashes(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.without_hashes(item)),
            _ => {}
        }
    }
}

/// Whether `text` is `name`, a hyphen and ten letters or digits.
fn is_hashed(text: &str, name: &str) -> bool {
    let hash = text
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('-'));
    hash.is_some_and(|hash| hash.len() == 10 && hash.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Removes what is at `path`, and maps that are empty then. Whether there was anything.
fn remove(value: &mut Value, path: &[String]) -> bool {
    let Some((key, rest)) = path.split_first() else {
        return false;
    };
    let Some(map) = value.as_object_mut() else {
        return false;
    };
    if rest.is_empty() {
        return map.remove(key).is_some();
    }
    let removed = map.get_mut(key).is_some_and(|inner| remove(inner, rest));
    if removed
        && map
            .get(key)
            .is_some_and(|inner| *inner == serde_json::json!({}))
    {
        map.remove(key);
    }
    removed
}
