//! The HTTP/1.1 server for pods, which answers as the instance metadata service does.
//!
//! | file | holds |
//! |---|---|
//! | `listen` | serves HTTP on intercepted connections |
//! | `limits` | how many connections each pod may have |
//! | `exchange` | whether a request is being answered on a connection |
//! | `connection_adapter` | keeps a client's end back until its answer; makes the HTTP library's own refusals JSON |
//! | `request` | validation: which requests are token requests |
//! | `service` | one token request from end to end |

mod connection_adapter;
mod exchange;
mod limits;
mod listen;
mod request;
mod service;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use limits::ConnectionLimits;
pub(crate) use listen::serve;
pub(crate) use request::ValidRequest;
pub(crate) use service::{TokenService, Waits};
