//! Token endpoints and discovery documents.

mod certificates;
mod discovery;
mod federation;
mod helpers;
mod secrets;
