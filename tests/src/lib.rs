//! What the rings of tests share. Each ring is a test program in `tests/tests/`.

pub mod kubectl;
pub mod node;
pub mod programs;
pub mod python;
