//! `podid profile edit`, `delete` and `list`: the profiles of a git working tree, whose files stay those of
//! people.

mod changes;
mod delete;
mod edit;
mod find;
mod list;

pub(crate) use changes::EditError;
pub(crate) use delete::{DeleteArgs, delete};
pub(crate) use edit::{EditArgs, edit};
pub(crate) use list::{ListArgs, list};
