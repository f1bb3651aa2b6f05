//! The metadata service.

mod instance;
mod refusals;
mod token;
