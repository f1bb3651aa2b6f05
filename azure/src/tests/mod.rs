//! The ARM clients against canned answers: real TLS, real credential, no simulator.

mod absence;
mod cloud;
mod compute;
mod gate;
mod identities;
mod logs;
mod roles;
mod sending;
mod subscriptions;
