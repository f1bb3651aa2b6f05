//! Objects of YAML files.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use crate::yaml::{self, Document, InputError, Node};

/// A file of manifests, with the positions of its values.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// As people know it.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Read when a position is asked for: most files never need one.
    documents: OnceCell<Vec<Document>>,
}

/// An object, and the file that declares it.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredObject {
    pub(crate) value: Value,
    /// `None` for an object that a program has made.
    pub(crate) source: Option<Rc<SourceFile>>,
    /// The object of the file that holds it, where it is none by itself.
    pub(crate) holder: Option<Rc<Holder>>,
}

/// An object that holds another one among its fields, as a release holds what its chart makes of the values.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) kind: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    /// Where it holds it, as `spec.values.profiles[0]`.
    pub(crate) field: String,
}

impl SourceFile {
    /// Reads `file`, which people know as `shown`.
    pub(crate) fn read(file: &Path, shown: PathBuf) -> Result<Self, InputError> {
        let renamed = |error| match error {
            InputError::Read { source, .. } => InputError::Read {
                file: shown.clone(),
                source,
            },
            InputError::Large { .. } => InputError::Large {
                file: shown.clone(),
            },
            InputError::Encoding { line, .. } => InputError::Encoding {
                file: shown.clone(),
                line,
            },
            InputError::Separator {
                line, character, ..
            } => InputError::Separator {
                file: shown.clone(),
                line,
                character,
            },
            other => other,
        };
        let text = yaml::read_text(file).map_err(renamed)?;
        Ok(Self::new(shown, text))
    }

    /// A file of this text.
    pub(crate) fn new(path: PathBuf, text: String) -> Self {
        Self {
            path,
            text,
            documents: OnceCell::new(),
        }
    }

    /// All objects in it; those of a `List` as well.
    pub(crate) fn objects(source: &Rc<Self>) -> Result<Vec<DeclaredObject>, InputError> {
        let values = yaml::parse_values(&source.path, &source.text)?;
        let objects = values.into_iter().flat_map(items);
        Ok(objects
            .map(|value| DeclaredObject {
                value,
                source: Some(Rc::clone(source)),
                holder: None,
            })
            .collect())
    }

    /// The roots of all objects.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &Node> {
        let parse = || yaml::parse(&self.text).unwrap_or_default();
        let documents = self.documents.get_or_init(parse);
        let roots = documents.iter().filter_map(|it| it.root.as_ref());
        roots.flat_map(|root| match root.entry("items") {
            Some(items) if !items.value.items().is_empty() => items.value.items().iter().collect(),
            _ => vec![root],
        })
    }

    /// Line of a field of the first document, as `patches[0].path`; of what is around it where it is an alias.
    pub(super) fn line_of(&self, field: &str) -> usize {
        self.roots().next().map_or(1, |root| root.line_of(field))
    }

    /// The object of this kind and name. Where none has the name, because a kustomization changes names, it is
    /// the only one of the kind.
    pub(crate) fn find(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<&Node> {
        let text =
            |node: &Node, path: &[&str]| node.at(path).and_then(Node::text).map(str::to_owned);
        let of_kind: Vec<&Node> = self
            .roots()
            .filter(|root| text(root, &["kind"]).as_deref() == Some(kind))
            .collect();
        let named = |root: &&&Node| text(root, &["metadata", "name"]).as_deref() == Some(name);
        let of_name: Vec<&Node> = of_kind.iter().filter(named).copied().collect();
        let placed = |root: &&&Node| text(root, &["metadata", "namespace"]).as_deref() == namespace;
        let exact = of_name.iter().find(placed).or(of_name.first());
        match (exact, of_kind.as_slice()) {
            (Some(found), _) => Some(found),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

/// The objects of a document: several may be wrapped into a List, or into one of their kind.
pub(crate) fn items(mut document: Value) -> Vec<Value> {
    if document["kind"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("List"))
        && let Some(Value::Array(items)) = document.get_mut("items").map(Value::take)
    {
        return items;
    }
    vec![document]
}

impl DeclaredObject {
    pub(crate) fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or("object without kind")
    }

    pub(crate) fn group(&self) -> &str {
        let version = self.value["apiVersion"].as_str().unwrap_or_default();
        version.split_once('/').map_or("", |(group, _)| group)
    }

    pub(crate) fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or("?")
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        self.value["metadata"]["namespace"].as_str()
    }

    /// Whether it decides what is planned: an object of podid, of what podid makes, or of Flux's that leads to more.
    pub(crate) fn decides(&self) -> bool {
        let groups = [
            "podid.dev",
            "aadpodidentity.k8s.io",
            "kustomize.toolkit.fluxcd.io",
        ];
        groups.contains(&self.group())
    }

    /// As `Deployment payments/shop`.
    pub(crate) fn described(&self) -> String {
        match self.namespace() {
            Some(namespace) => format!("{} {namespace}/{}", self.kind(), self.name()),
            None => format!("{} {}", self.kind(), self.name()),
        }
    }

    /// File and line of a field, or of the deepest field over it that its file has.
    pub(crate) fn place_of(&self, field: &str) -> Option<Place> {
        let source = self.source.as_ref()?;
        let line = match self.holder.as_deref() {
            Some(holder) => {
                let root = source.find(&holder.kind, holder.namespace.as_deref(), &holder.name);
                root.map(|root| root.line_of(&holder.field_of(field)))
            }
            None => {
                let root = source.find(self.kind(), self.namespace(), self.name());
                root.map(|root| root.line_of(field))
            }
        };
        Some(Place {
            file: source.path.clone(),
            line: line.unwrap_or(1),
        })
    }
}

impl Holder {
    /// A field of what is held, as the holder has it: its metadata are beside its spec.
    fn field_of(&self, field: &str) -> String {
        let field = field.strip_prefix("metadata.").unwrap_or(field);
        format!("{}.{field}", self.field)
    }
}

/// A line of a file, as people know it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A file may have any name, and a terminal or a pipeline must not obey it.
        let file = self.file.display().to_string();
        let file = file.replace(char::is_control, " ");
        write!(f, "{file}:{}", self.line)
    }
}
