//! Services that hold data. They verify the caller's token and then its roles, down to the single
//! secret or container.

mod access;
pub(crate) mod blob;
pub(crate) mod vault;
