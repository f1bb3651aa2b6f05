//! What the chart and the overlays of kustomize render, by the real helm and kustomize.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod confinement;
mod differences;
mod examples;
mod fleets;
mod flux;
mod links;
mod metrics;
mod one_truth;
mod overlay;
mod overlays;
mod policies;
mod readme;
mod release;
mod rendering;
mod state_metrics;
mod troubleshooting;
mod uninstall;
mod values;
