//! `podid bootstrap git`.

mod aks;
mod bad_input;
mod fixture;
mod folder;
mod http;
mod page;
mod person;
mod proxy;
mod server;
mod ssh;
mod tls;
