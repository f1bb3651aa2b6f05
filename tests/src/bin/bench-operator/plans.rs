//! What it takes to plan many profiles, without a cluster and without Azure.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, anyhow};
use podid_core::profile::admit::admit;
use podid_core::profile::desired::Desired;
use podid_core::profile::expected::observed_after;
use podid_core::profile::observed::Observed;
use podid_core::profile::plan::plan;
use podid_crds::convert;
use serde_json::{Value, json};

use crate::world;

/// Milliseconds for the plans of so many profiles where all is as it should be, and where nothing is there yet.
pub(crate) fn milliseconds(profiles: usize) -> Result<[f64; 2]> {
    let class = convert::class(&world::class()?);
    let admitted = (0..profiles).map(|number| {
        let profile = serde_json::from_value(profile(number))?;
        let profile = convert::profile(&profile, BTreeMap::new());
        admit(&profile, &class).map_err(|violations| anyhow!("{violations:?}"))
    });
    let desired: Vec<Desired> = admitted.collect::<Result<_>>()?;
    let states = |observed: fn(&Desired) -> Observed| desired.iter().map(observed).collect();
    let unchanged: Vec<Observed> = states(|desired| observed_after(desired, Some(desired)));
    let new: Vec<Observed> = states(|_| Observed::default());
    Ok([time(&desired, &unchanged), time(&desired, &new)])
}

fn time(desired: &[Desired], observed: &[Observed]) -> f64 {
    let started = Instant::now();
    for (desired, observed) in desired.iter().zip(observed) {
        let _planned = black_box(plan(black_box(desired), black_box(observed)));
    }
    started.elapsed().as_secs_f64() * 1e3
}

fn profile(number: usize) -> Value {
    let name = format!("profile-{number}");
    json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityProfile",
        "metadata": { "name": name, "namespace": "team", "uid": name },
        "spec": { "className": "bench" },
    })
}
