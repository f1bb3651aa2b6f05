//! What pods talk to: HTTP/1.1 that answers as the instance metadata service does.

mod answer;
mod guard;
mod limits;
mod listen;
mod token;
mod wire;

pub(crate) use limits::Limits;
pub(crate) use listen::{Listener, Origin};
pub(crate) use token::{Service, Waits};
