//! What the rings of tests share. Each ring is a test program in `tests/tests/`.

pub mod api_proxy;
pub mod azure;
pub mod fleet;
pub mod flux;
pub mod kubectl;
pub mod manifests;
pub mod node;
pub mod operator;
pub mod overlay;
pub mod pages;
pub mod programs;
pub mod python;
pub mod rights;
pub mod sdk_image;
pub mod workloads;
