//! The line of a field that a class does not allow: in the file of its object, or in the patch that sets it.

use std::rc::Rc;

use crate::tree::{DeclaredObject, Place, SourceFile};
use crate::yaml::Node;

/// File and line of `field`, which has `value`.
pub(super) fn place(
    object: &DeclaredObject,
    patches: &[Rc<SourceFile>],
    field: &str,
    value: &str,
) -> Option<Place> {
    let has_value = |root: &Node| root.field(field).and_then(Node::text) == Some(value);
    let source = object.source.as_ref();
    let own = source.and_then(|it| it.find(object.kind(), object.namespace(), object.name()));
    if own.is_none_or(|root| !has_value(root)) {
        let of_object = |root: &&Node| {
            let text = |path: &[&str]| root.at(path).and_then(Node::text);
            text(&["kind"]) == Some(object.kind())
                && text(&["metadata", "name"]).is_none_or(|name| name == object.name())
        };
        let found = patches.iter().find_map(|patch| {
            let root = patch
                .roots()
                .filter(of_object)
                .find(|root| has_value(root))?;
            Some(Place {
                file: patch.path.clone(),
                line: root.line_of(field),
            })
        });
        if found.is_some() {
            return found;
        }
    }
    object.place_of(field)
}
