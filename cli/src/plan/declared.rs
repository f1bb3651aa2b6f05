//! Profiles and classes among the objects of a file or tree, and what else a plan takes from there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use kube::ResourceExt;
use podid_crds::check::{self, Finding};
use podid_crds::manifests::ManifestError;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::tree::{DeclaredObject, Place, Rendered, SourceFile};

/// API version of the kinds that are planned.
const API_VERSION: &str = "podid.dev/v1alpha1";

/// Label of pods, whose value a binding selects.
const LABEL: &str = "aadpodidbinding";

/// A profile or class, and where it is declared.
#[derive(Clone, Debug)]
pub(super) struct Typed<T> {
    pub(super) object: T,
    pub(super) declared: DeclaredObject,
}

/// What a file or tree holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) profiles: Vec<Typed<PodIdentityProfile>>,
    /// By name.
    pub(super) classes: BTreeMap<String, Typed<PodIdentityClass>>,
    /// Labels of namespaces, by name.
    pub(super) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Workloads whose pods have a label by which a profile may bind them.
    pub(super) workloads: Vec<Workload>,
    /// Objects of other kinds.
    pub(super) others: Vec<DeclaredObject>,
    pub(super) patches: Vec<Rc<SourceFile>>,
    pub(super) notes: Vec<String>,
    /// The Kustomizations of Flux's that delete what is gone, as `NAMESPACE/NAME`.
    pub(super) prune: BTreeSet<String>,
}

/// A workload that makes pods with the label of a binding.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    /// As `Deployment checkout`.
    pub(super) described: String,
    /// `None`: the namespace that objects without one get.
    pub(super) namespace: Option<String>,
    pub(super) selector: String,
    pub(super) service_account: String,
}

/// Objects that the API server would refuse.
#[derive(Debug)]
pub(crate) struct Refused(pub(super) Vec<RefusedField>);

/// One field that it would refuse.
#[derive(Debug)]
pub(super) struct RefusedField {
    pub(super) object: String,
    pub(super) finding: Finding,
    pub(super) place: Option<Place>,
}

impl fmt::Display for Refused {
    /// One object a line, and one line for each field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut object = "";
        for field in &self.0 {
            if field.object != object {
                let line_break = if object.is_empty() { "" } else { "\n" };
                object = &field.object;
                let file = field.place.as_ref().map(|place| place.file.display());
                let file = file.map(|file| format!("{file}: ")).unwrap_or_default();
                write!(
                    f,
                    "{line_break}{file}{object} would be refused by the API server:"
                )?;
            }
            write!(f, "\n  {}", field.finding)?;
            if let Some(place) = &field.place {
                write!(f, " (line {})", place.line)?;
            }
        }
        Ok(())
    }
}

/// Why the objects of a file or tree cannot be planned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeclaredError {
    #[error("{file} holds no profile and no class; only {API_VERSION} objects are planned")]
    Empty { file: PathBuf },
    #[error("{0}")]
    Refused(Refused),
    #[error("{object} does not read as its kind")]
    Kind {
        object: String,
        source: serde_json::Error,
    },
    #[error("the kinds of podid cannot be generated; this is a bug, please report it")]
    Kinds(#[from] ManifestError),
}

impl Declared {
    /// Sorts what was rendered.
    pub(super) fn new(rendered: Rendered) -> Result<Self, DeclaredError> {
        let mut declared = Self {
            patches: rendered.patches,
            notes: rendered.notes,
            prune: rendered.prune,
            ..Self::default()
        };
        let mut refused = Vec::new();
        for object in rendered.objects {
            declared.add(object, &mut refused)?;
        }
        if refused.is_empty() {
            Ok(declared)
        } else {
            Err(DeclaredError::Refused(Refused(refused)))
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.profiles.is_empty() && self.classes.is_empty()
    }

    fn add(
        &mut self,
        object: DeclaredObject,
        refused: &mut Vec<RefusedField>,
    ) -> Result<(), DeclaredError> {
        let known = object.value["apiVersion"] == API_VERSION;
        match object.kind() {
            "PodIdentityProfile" if known => {
                self.profiles.extend(typed(object, refused)?);
            }
            "PodIdentityClass" if known => {
                let class: Option<Typed<PodIdentityClass>> = typed(object, refused)?;
                let classes = class.map(|class| (class.object.name_any(), class));
                self.classes.extend(classes);
            }
            _ if let Some(finding) = unknown_kind(&object) => refused.push(RefusedField {
                object: object.described(),
                place: object.place_of(&finding.field),
                finding,
            }),
            _ => {
                if object.kind() == "Namespace" {
                    let labels = strings(&object.value["metadata"]["labels"]);
                    self.namespaces.insert(object.name().to_owned(), labels);
                }
                self.workloads.extend(workload(&object));
                self.others.push(object);
            }
        }
        Ok(())
    }
}

/// That an object is meant to be podid's, and is of no kind that podid has: Flux would fail on it, and leave what it
/// had applied before.
fn unknown_kind(object: &DeclaredObject) -> Option<Finding> {
    const KINDS: [&str; 2] = ["PodIdentityProfile", "PodIdentityClass"];
    let version = object.value["apiVersion"].as_str().unwrap_or_default();
    if KINDS.contains(&object.kind()) {
        let message = format!("must be {API_VERSION}, not {version}");
        return Some(Finding::new("apiVersion", message));
    }
    (object.group() == "podid.dev").then(|| {
        let message = format!("podid has {} and no {}", KINDS.join(", "), object.kind());
        Finding::new("kind", message)
    })
}

fn typed<T: DeserializeOwned>(
    declared: DeclaredObject,
    refused: &mut Vec<RefusedField>,
) -> Result<Option<Typed<T>>, DeclaredError> {
    let findings = check::object(&declared.value)?;
    let object = declared.described();
    if !findings.is_empty() {
        refused.extend(findings.into_iter().map(|finding| RefusedField {
            object: object.clone(),
            place: declared.place_of(&finding.field),
            finding,
        }));
        return Ok(None);
    }
    match serde_json::from_value(declared.value.clone()) {
        Ok(object) => Ok(Some(Typed { object, declared })),
        Err(source) => Err(DeclaredError::Kind { object, source }),
    }
}

fn strings(map: &Value) -> BTreeMap<String, String> {
    let entries = map.as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    entries
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}

fn workload(object: &DeclaredObject) -> Option<Workload> {
    let value = &object.value;
    let pod = match object.kind() {
        "Pod" => value,
        "CronJob" => &value["spec"]["jobTemplate"]["spec"]["template"],
        _ => &value["spec"]["template"],
    };
    let selector = pod["metadata"]["labels"][LABEL].as_str()?;
    let account = pod["spec"]["serviceAccountName"].as_str();
    Some(Workload {
        described: format!("{} {}", object.kind(), object.name()),
        namespace: object.namespace().map(str::to_owned),
        selector: selector.to_owned(),
        service_account: account.unwrap_or("default").to_owned(),
    })
}
