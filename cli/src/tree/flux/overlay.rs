//! What a Flux Kustomization adds to the kustomization of its path.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::tree::error::TreeError;
use crate::tree::manifest_tree::ManifestTree;
use crate::tree::object::DeclaredObject;

/// Fields and components that come on top of a folder.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// Fields of a kustomization.yaml, without components.
    pub(super) fields: Map<String, Value>,
    /// Folders of components.
    pub(super) components: Vec<PathBuf>,
}

impl Overlay {
    /// What `kustomization` adds to the folder `dir`.
    pub(super) fn of(
        kustomization: &DeclaredObject,
        tree: &ManifestTree,
        dir: &Path,
    ) -> Result<Self, TreeError> {
        let spec = &kustomization.value["spec"];
        let listed = spec["components"].as_array().into_iter().flatten();
        let mut components = Vec::new();
        for (index, entry) in listed.enumerate() {
            let entry = entry.as_str().unwrap_or_default();
            let path = dir.join(entry);
            if path.is_dir() {
                components.push(tree.inside(&path)?);
            } else if spec["ignoreMissingComponents"] != true {
                let place = kustomization.place_of(&format!("spec.components[{index}]"));
                return Err(TreeError::NoComponent {
                    place: place.map(|it| format!("{it}: ")).unwrap_or_default(),
                    kustomization: kustomization.described(),
                    path: tree.shown(&path),
                });
            }
        }
        Ok(Self {
            fields: fields(spec),
            components,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.components.is_empty()
    }
}

fn fields(spec: &Value) -> Map<String, Value> {
    let mut fields = Map::new();
    let same = [
        ("targetNamespace", "namespace"),
        ("namePrefix", "namePrefix"),
        ("nameSuffix", "nameSuffix"),
        ("patches", "patches"),
        ("images", "images"),
    ];
    for (from, to) in same {
        if !spec[from].is_null() {
            fields.insert(to.to_owned(), spec[from].clone());
        }
    }
    let metadata = &spec["commonMetadata"];
    if !metadata["labels"].is_null() {
        let labels = json!([{ "pairs": metadata["labels"] }]);
        fields.insert("labels".to_owned(), labels);
    }
    if !metadata["annotations"].is_null() {
        let annotations = metadata["annotations"].clone();
        fields.insert("commonAnnotations".to_owned(), annotations);
    }
    fields
}
