//! The user's kustomize, of which every release may render a tree in another way.

use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::error::TreeError;
use super::loaded::folded;
use super::manifest_tree::ManifestTree;
use super::object::{DeclaredObject, SourceFile};

/// Annotation in which kustomize says which file an object comes from.
const ORIGIN: &str = "config.kubernetes.io/origin";

/// Renders a kustomization that has `fields` and includes `resources`, absolute paths in the tree. `folder` is
/// the one that errors name.
pub(super) fn build(
    tree: &ManifestTree,
    folder: &Path,
    resources: &[PathBuf],
    fields: &Map<String, Value>,
) -> Result<Vec<DeclaredObject>, TreeError> {
    let shown = tree.shown(folder);
    let (program, verb) = tree.kustomize.command(&shown)?;
    // Outside the tree, in which nothing is written. kustomize takes no absolute paths.
    let wrapper = tempfile::tempdir().map_err(TreeError::Temporary)?;
    let dir = wrapper
        .path()
        .canonicalize()
        .map_err(TreeError::Temporary)?;
    let relative = |path: &PathBuf| relative(&dir, path).display().to_string();
    let mut kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources.iter().map(relative).collect::<Vec<_>>(),
        "buildMetadata": ["originAnnotations"],
    });
    for (field, value) in fields {
        kustomization[field] = value.clone();
    }
    relocate_components(&mut kustomization, &dir);
    // Flux knows no files of patches here, and kustomize would read any.
    let patches = kustomization["patches"].as_array_mut();
    for patch in patches
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        patch.retain(|name, _| folded(name) != "path");
    }
    let what = shown.display().to_string();
    let text = serde_json::to_string(&kustomization)
        .map_err(|source| TreeError::Write { what, source })?;
    std::fs::write(dir.join("kustomization.yaml"), text).map_err(TreeError::Temporary)?;
    let output = alone(&program, &dir)
        .arg(verb)
        .arg(&dir)
        .arg("--load-restrictor=LoadRestrictionsNone")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| TreeError::Start {
            program: program.clone(),
            source,
        })?;
    if !output.status.success() {
        let says = String::from_utf8_lossy(&output.stderr);
        let says = without_paths(tree, &dir, says.trim());
        return Err(TreeError::Program {
            program,
            folder: shown,
            says,
        });
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rendered = SourceFile::objects(&Rc::new(SourceFile::new(shown, text)))?;
    rendered
        .into_iter()
        .map(|object| with_origin(tree, &dir, object))
        .collect()
}

/// A program that gets nothing of the environment and reaches no host: a pipeline's secrets are in variables, and what
/// is rendered may be proposed by a stranger.
fn alone(program: &str, home: &Path) -> Command {
    // The port to throw things away at, at which nobody listens.
    const NOBODY: &str = "http://127.0.0.1:9";
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home)
        .env("HTTP_PROXY", NOBODY)
        .env("HTTPS_PROXY", NOBODY)
        .env("GIT_ALLOW_PROTOCOL", "");
    command
}

/// What kustomize says, with the paths that people know: it was started in a temporary folder.
fn without_paths(tree: &ManifestTree, dir: &Path, says: &str) -> String {
    let root = relative(dir, &tree.root).display().to_string();
    let names = [
        (format!("{}/", tree.root.display()), ""),
        (format!("{root}/"), ""),
        (root, "."),
        (
            format!("{}/kustomization.yaml", dir.display()),
            "the kustomization",
        ),
        (dir.display().to_string(), "the kustomization"),
    ];
    let replaced = |says: String, (path, name): (String, &str)| says.replace(&path, name);
    names.into_iter().fold(says.to_owned(), replaced)
}

/// Components are given as absolute paths.
fn relocate_components(kustomization: &mut Value, dir: &Path) {
    let Some(components) = kustomization["components"].as_array_mut() else {
        if let Some(fields) = kustomization.as_object_mut() {
            fields.remove("components");
        }
        return;
    };
    for component in components {
        let path = relative(dir, Path::new(component.as_str().unwrap_or_default()));
        *component = path.display().to_string().into();
    }
}

/// The object with the file that kustomize says it comes from.
fn with_origin(
    tree: &ManifestTree,
    dir: &Path,
    mut object: DeclaredObject,
) -> Result<DeclaredObject, TreeError> {
    object.source = None;
    let Some(annotations) = object
        .value
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    else {
        return Ok(object);
    };
    let origin = annotations.remove(ORIGIN);
    if annotations.is_empty()
        && let Some(metadata) = object
            .value
            .get_mut("metadata")
            .and_then(Value::as_object_mut)
    {
        metadata.remove("annotations");
    }
    let origin = origin.as_ref().and_then(Value::as_str).unwrap_or_default();
    let origin: Value = serde_saphyr::from_str(origin).unwrap_or_default();
    let file = origin["path"].as_str().or(origin["configuredIn"].as_str());
    let Some(file) = file.and_then(|path| dir.join(path).canonicalize().ok()) else {
        return Ok(object);
    };
    if file.starts_with(&tree.root) {
        object.source = Some(tree.source(&file)?);
    }
    Ok(object)
}

/// `to` as seen from the folder `from`; both absolute and without symbolic links.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[shared..].iter().map(|_| Component::ParentDir);
    up.chain(to[shared..].iter().copied()).collect()
}
