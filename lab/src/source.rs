//! Stands in for Flux's source-controller: serves bare git repositories and charts.
//!
//! Init calls `source::run(Context) -> Result<(), SourceError>` (async) once the Flux CRDs are
//! established; it listens on 10.200.0.1 and returns only on an error or when
//! `Context::shutdown` is cancelled.
