//! The HTTP/1.1 server for pods, which answers as the instance metadata service does.
//!
//! | file | holds |
//! |---|---|
//! | `listen` | serves HTTP on intercepted connections |
//! | `limits` | how many connections each pod may have |
//! | `connection_adapter` | makes the HTTP library's own refusals JSON |
//! | `request` | validation: which requests are token requests |
//! | `service` | one token request from end to end |

mod connection_adapter;
mod limits;
mod listen;
mod request;
mod service;

pub(crate) use limits::ConnectionLimits;
pub(crate) use listen::serve;
pub(crate) use request::ValidRequest;
pub(crate) use service::{TokenService, Waits};
