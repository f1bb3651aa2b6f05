//! What pods talk to: HTTP/1.1 that answers as the instance metadata service does.
//!
//! | file | holds |
//! |---|---|
//! | `listen` | serves HTTP on intercepted connections |
//! | `limits` | how many connections each pod may have |
//! | `connection_adapter` | makes the HTTP library's own refusals JSON |
//! | `request` | validation: which requests are token requests |
//! | `service` | the way of one token request |

mod connection_adapter;
mod limits;
mod listen;
mod request;
mod service;

pub(crate) use limits::Limits;
pub(crate) use listen::serve;
pub(crate) use service::{Service, Waits};
