//! The metrics registry, with what every daemon reports about itself.

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::build_info;

/// A registry whose names begin with `podid_`, holding `podid_build_info{component, version, commit,
/// image_layer}`, whose last label is empty outside of an image. Register a daemon's own metrics before the
/// registry is given to the admin server, with closed label sets only.
#[must_use]
pub fn registry(component: &'static str) -> Registry {
    let mut registry = Registry::with_prefix("podid");
    let build = Info::new(vec![
        ("component", component),
        ("version", build_info::RELEASE),
        ("commit", build_info::COMMIT),
        ("image_layer", build_info::image_layer().unwrap_or_default()),
    ]);
    registry.register("build", "What this program was built from", build);
    registry
}

/// What `/metrics` shows of a registry, in the text format of OpenMetrics.
#[must_use]
pub fn text(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _infallible = prometheus_client::encoding::text::encode(&mut text, registry);
    text
}
