//! YAML files of people: read within bounds, and with the position of every value.
//!
//! Values come from serde-saphyr, positions from the parser that it is built on. Aliases are not followed for
//! positions, so that a file of nested aliases costs nothing.

mod document;
pub(crate) mod edit;
mod file;
mod node;

pub(crate) use document::without_document;
pub(crate) use file::{InputError, parse_values, read_text};
pub(crate) use node::{Document, Node, parse};
