//! The files of `flux/clusters/example`, as they are compiled in, and the editing of one.

use serde_json::{Value, json};

/// Who keeps a file up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upkeep {
    /// Every run writes it anew.
    Generated,
    /// Made once; after that it is its people's.
    Once,
    /// Made once; later runs add entries of `resources` that are missing.
    Kustomization,
}

/// Why the files cannot be made: all of these are mistakes in podid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterFileError {
    #[error("podid's own {file} is not YAML; this is a bug, please report it")]
    Read {
        file: &'static str,
        source: Box<serde_saphyr::Error>,
    },
    #[error("podid's own {file} has no {pointer}; this is a bug, please report it")]
    Pointer { file: &'static str, pointer: String },
    #[error("{file} cannot be written as YAML; this is a bug, please report it")]
    Write {
        file: &'static str,
        source: serde_saphyr::ser::Error,
    },
}

/// A file of the example: where it is below `podid/`, and what it holds.
pub(super) struct Template {
    pub(super) file: &'static str,
    pub(super) upkeep: Upkeep,
    text: &'static str,
}

macro_rules! template {
    ($upkeep:ident, $file:literal) => {
        Template {
            file: $file,
            upkeep: Upkeep::$upkeep,
            text: include_str!(concat!("../../../flux/clusters/example/podid/", $file)),
        }
    };
}

/// All of them.
pub(super) const TEMPLATES: [Template; 13] = [
    template!(Kustomization, "kustomization.yaml"),
    template!(Generated, "facts.yaml"),
    template!(Generated, "infrastructure.yaml"),
    template!(Generated, "classes.yaml"),
    template!(Generated, "profiles.yaml"),
    template!(Kustomization, "infrastructure/kustomization.yaml"),
    template!(Generated, "infrastructure/namespace.yaml"),
    template!(Generated, "infrastructure/source.yaml"),
    template!(Generated, "infrastructure/release.yaml"),
    template!(Kustomization, "classes/kustomization.yaml"),
    template!(Generated, "classes/class.yaml"),
    template!(Once, "classes/limits.yaml"),
    template!(Kustomization, "profiles/kustomization.yaml"),
];

/// The source as a git repository, in the place of that in the example.
pub(super) const GIT_SOURCE: Template = Template {
    file: "infrastructure/source.yaml",
    upkeep: Upkeep::Generated,
    text: include_str!("../../../flux/sources/git.yaml"),
};

/// One file while facts are set in it.
pub(super) struct Editor {
    pub(super) file: &'static str,
    pub(super) object: Value,
}

impl Editor {
    pub(super) fn read(template: &Template) -> Result<Self, ClusterFileError> {
        let file = template.file;
        let object =
            serde_saphyr::from_str(template.text).map_err(|source| ClusterFileError::Read {
                file,
                source: Box::new(source),
            })?;
        Ok(Self { file, object })
    }

    /// Sets what is there already.
    pub(super) fn set(
        &mut self,
        pointer: &str,
        value: impl serde::Serialize,
    ) -> Result<(), ClusterFileError> {
        let missing = ClusterFileError::Pointer {
            file: self.file,
            pointer: pointer.to_owned(),
        };
        *self.object.pointer_mut(pointer).ok_or(missing)? = json!(value);
        Ok(())
    }

    /// Removes a field of the map at a pointer.
    pub(super) fn remove(&mut self, pointer: &str, field: &str) -> Result<(), ClusterFileError> {
        let map = self.object.pointer_mut(pointer);
        let removed = map.and_then(|map| map.as_object_mut()?.shift_remove(field));
        removed.map(|_| ()).ok_or(ClusterFileError::Pointer {
            file: self.file,
            pointer: format!("{pointer}/{field}"),
        })
    }

    /// Puts another field of the spec in the place of one.
    pub(super) fn replace(
        &mut self,
        old: &str,
        new: &str,
        value: Value,
    ) -> Result<(), ClusterFileError> {
        self.remove("/spec", old)?;
        self.object["spec"][new] = value;
        Ok(())
    }
}
