//! azure-sim against what Azure's own SDKs for Python expect of Azure: scripts of `tests/python/`
//! run unmodified clients, and say what those saw.

mod cloud;
mod data;
mod management;
mod tokens;
