//! Annotations that people set on profiles and classes.

/// Any change of this annotation's value asks for a reconciliation, as Flux's controllers take it.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
