//! What pods talk to: HTTP/1.1 that answers as the instance metadata service does.

mod answer;
mod denial;
mod guard;
mod imds_lag;
mod limits;
mod listen;
mod question;
mod token;
mod wire;

pub(crate) use imds_lag::ImdsLag;
pub(crate) use limits::Limits;
pub(crate) use listen::{Listener, Origin};
pub(crate) use token::{Service, Waits};
