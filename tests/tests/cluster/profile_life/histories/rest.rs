//! Whether a history has come to rest: Azure is what its profiles ask for, and each status is true.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use podid_crds::aadpodidentity::AzureAssignedIdentity;
use podid_crds::podid::PodIdentityProfile;
use reqwest::Method;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::super::scene::{READS_SECRETS, conditions, status, vault};
use super::life::Life;

/// How long a history may take to come to rest.
const LIMIT: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(500);

/// Looks until all is as it should be; what is not, at the end.
pub(super) async fn reached(life: &Life) -> Result<(), String> {
    until(async || fault(life).await).await
}

/// Looks until the profile is gone.
pub(super) async fn gone(life: &Life, profile: u64) -> Result<(), String> {
    let name = Life::name(profile);
    let profiles = life.scene.api::<PodIdentityProfile>();
    until(async || {
        let found = profiles.get_opt(&name).await.unwrap();
        found.map(|profile| format!("{name} is not gone: {:?}", conditions(&profile)))
    })
    .await
}

pub(super) async fn until(mut fault: impl AsyncFnMut() -> Option<String>) -> Result<(), String> {
    let mut last = String::new();
    let looking = async {
        while let Some(fault) = fault().await {
            last = fault;
            sleep(PAUSE).await;
        }
    };
    match timeout(LIMIT, looking).await {
        Ok(()) => Ok(()),
        Err(_) => Err(format!("within {LIMIT:?}: {last}")),
    }
}

async fn fault(life: &Life) -> Option<String> {
    if let Some(fault) = fault_of_statuses(life).await {
        return Some(fault);
    }
    if let Some(fault) = fault_of_assignments(life).await {
        return Some(fault);
    }
    let azure = life.scene.stage.admin(Method::GET, "/state", None).await;
    fault_of_identities(life, &azure).or_else(|| fault_of_machines(life, &azure))
}

async fn fault_of_statuses(life: &Life) -> Option<String> {
    let found = life.scene.list::<PodIdentityProfile>().await;
    let names: BTreeSet<String> = found.iter().map(ResourceExt::name_any).collect();
    let desired: BTreeSet<String> = life.model.profiles.keys().map(|p| Life::name(*p)).collect();
    if names != desired {
        return Some(format!("profiles {names:?}, and not {desired:?}"));
    }
    let status_fault = |number: &u64| {
        let name = Life::name(*number);
        let profile = found.iter().find(|found| found.name_any() == name)?;
        let current = profile.metadata.generation;
        let ready = |c: &Condition| {
            c.type_ == "Ready" && c.status == "True" && c.observed_generation == current
        };
        let pods = i32::try_from(life.model.pods_of(*number).count()).unwrap_or_default();
        let counts = (status(profile).bound_pods, status(profile).assigned_pods);
        if !conditions(profile).iter().any(ready) {
            return Some(format!("{name} is not ready: {:#?}", conditions(profile)));
        }
        (counts != (Some(pods), Some(pods)))
            .then(|| format!("{name} has {counts:?} of {pods} pods"))
    };
    life.model.profiles.keys().find_map(status_fault)
}

async fn fault_of_assignments(life: &Life) -> Option<String> {
    let list = life.scene.list::<AzureAssignedIdentity>().await;
    let words = list.into_iter().map(|object| {
        let state = object.status.and_then(|status| status.status);
        let reference = object.spec.azure_identity_ref;
        let identity = reference.map(|reference| reference.metadata.name);
        (object.spec.pod, identity, state)
    });
    let found: BTreeSet<_> = words.collect();
    let all = life.model.assignments().into_iter();
    let desired = all.map(|(pod, profile, _)| {
        let identity = Life::name(profile);
        (Some(pod), Some(identity), Some("Assigned".to_owned()))
    });
    let desired: BTreeSet<_> = desired.collect();
    (found != desired).then(|| format!("assigned {found:?}, and not {desired:?}"))
}

fn fault_of_identities(life: &Life, azure: &Value) -> Option<String> {
    let start = format!("{}-", life.scene.namespace);
    let identities = azure["identities"].as_array().expect("identities").iter();
    let ours = identities.filter_map(|identity| {
        let name = last(&identity["id"])?;
        name.starts_with(&start).then_some((name, identity))
    });
    let ours: Vec<(String, &Value)> = ours.collect();
    let kept: BTreeSet<String> = life.model.kept.iter().map(|p| life.identity(*p)).collect();
    // What is kept keeps the rights that it had.
    for (name, identity) in ours.iter().filter(|(name, _)| !kept.contains(name)) {
        let rights = rights(azure, identity["principalId"].as_str().expect("text"));
        let profiles = life.model.profiles.iter();
        let asked = profiles
            .filter(|(profile, _)| life.identity(**profile) == *name)
            .find_map(|(_, asked)| asked.reads.then(|| format!("{READS_SECRETS} {}", vault())));
        let asked: BTreeSet<String> = asked.into_iter().collect();
        if rights != asked {
            return Some(format!("{name} may {rights:?}, and not {asked:?}"));
        }
    }
    let names: BTreeSet<String> = ours.into_iter().map(|(name, _)| name).collect();
    let profiles = life.model.profiles.keys();
    let desired: BTreeSet<String> = profiles.map(|profile| life.identity(*profile)).collect();
    let is_right =
        desired.is_subset(&names) && names.difference(&desired).all(|n| kept.contains(n));
    (!is_right).then(|| format!("identities {names:?}, and not {desired:?}, perhaps with {kept:?}"))
}

fn fault_of_machines(life: &Life, azure: &Value) -> Option<String> {
    let start = format!("{}-", life.scene.namespace);
    let of_kind = |kind: &str| azure[kind].as_array().expect("machines").iter();
    let machines = of_kind("scaleSets").chain(of_kind("virtualMachines"));
    let carried = machines.flat_map(|machine| {
        let name = last(&machine["id"]).unwrap_or_default();
        let ids = machine["userAssigned"].as_array().expect("ids").iter();
        let names = ids.filter_map(last).filter(|id| id.starts_with(&start));
        names
            .map(move |id| (name.clone(), id))
            .collect::<Vec<(String, String)>>()
    });
    let carried: BTreeSet<(String, String)> = carried.collect();
    let all = life.model.assignments().into_iter();
    let desired: BTreeSet<(String, String)> = all
        .map(|(_, profile, machine)| (machine.to_owned(), life.identity(profile)))
        .collect();
    (carried != desired).then(|| format!("machines carry {carried:?}, and not {desired:?}"))
}

/// What a principal may do, as `role scope`.
fn rights(azure: &Value, principal: &str) -> BTreeSet<String> {
    let all = azure["roleAssignments"].as_array().expect("assignments");
    let of_principal = all.iter().filter(|assignment| {
        let of = assignment["principalId"].as_str().expect("text");
        of.eq_ignore_ascii_case(principal)
    });
    let words = |one: &Value| {
        let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("role"), text("scope"))
    };
    of_principal.map(words).collect()
}

/// The last segment of an id, in small letters.
fn last(id: &Value) -> Option<String> {
    let id = id.as_str()?;
    id.rsplit('/').next().map(str::to_lowercase)
}
