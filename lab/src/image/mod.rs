//! Container images of this machine's own programs, for labs: there is no registry in them.

mod archive;
mod commands;

pub use archive::Image;
pub use commands::{BOX, box_of_commands, libraries};
