//! The daemon's status: what `podid-nmi status` shows. The report is a page of the admin socket, which only its owner
//! can connect to; the admin address does not have it, because whoever reaches that would learn of all pods.
//!
//! | file | holds |
//! |---|---|
//! | `report` | what is said |
//! | `collect` | where it comes from |
//! | `command` | the command that asks for it |
//! | `table` | how it is shown to people |

mod collect;
pub mod command;
mod report;
mod table;

pub(crate) use collect::{StatusParts, StatusSource};

/// Path of the page.
pub(crate) const PAGE: &str = "/status";
