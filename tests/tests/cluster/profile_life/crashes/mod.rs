//! The operator is killed after its writes, over and over, also while Azure works on one, and nothing is double, leaked
//! or stripped.

mod process;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use podid_crds::aadpodidentity::{AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding};
use podid_crds::podid::PodIdentityProfile;
use reqwest::Method;
use serde_json::{Value, json};

use super::scene::{READS_SECRETS, Scene, access, status, vault};
use crate::fixture::eventually;
use crate::stage::{SET_NODES, Stage};
use process::Process;

/// Writes between two kills of a life; each life begins with another of the first.
const STRIDE: usize = 7;
/// More kills than a life has strides.
const KILLS: usize = 12;

/// Starts the operator of the lab again, also when a test has failed.
struct Stopped<'a>(&'a Stage);

impl<'a> Stopped<'a> {
    fn new(stage: &'a Stage) -> Self {
        stage.stop_operator();
        Self(stage)
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.start_operator();
    }
}

#[tokio::test]
async fn killed_after_any_write_it_ends_where_it_would_have_ended() {
    let scene = Scene::open("crashes").await;
    let _stopped = Stopped::new(&scene.stage);
    // Azure has begun the change when the process ends, and is at it when the next one looks.
    let course = json!({ "kind": "async", "polls": 2, "retryAfter": 0.5 });
    let slow = json!({ "operation": "arm.vmss.patch", "effect": course });
    scene.stage.fault(slow).await;
    let undisturbed = Process::start(scene.stage.lab, []);
    live(&scene, "whole").await;
    undisturbed.end().await;
    let left = left(&scene).await;
    for first in 1..=STRIDE {
        let lasts = std::iter::once(first).chain(std::iter::repeat_n(STRIDE, KILLS - 1));
        let process = Process::start(scene.stage.lab, lasts);
        live(&scene, &format!("k{first}")).await;
        let kills = process.end().await;
        assert!(kills > 3, "killed {kills} times only");
        let after = self::left(&scene).await;
        assert_eq!(
            after, left,
            "killed after write {first} and each {STRIDE}th from there"
        );
    }
}

/// Two profiles on one scale set: made, one of them changed, deleted. What they come to is looked at in between.
async fn live(scene: &Scene, life: &str) {
    let (shop, mail) = (format!("shop-{life}"), format!("mail-{life}"));
    let shop_spec = |rights: Value| json!({ "access": rights, "identity": identity(scene, &shop) });
    let rights = json!([access(READS_SECRETS, &vault())]);
    scene.profile(&shop, shop_spec(rights)).await;
    let mail_spec = json!({ "identity": identity(scene, &mail) });
    scene.profile(&mail, mail_spec).await;
    for (name, node) in [(&shop, SET_NODES[0]), (&mail, SET_NODES[1])] {
        scene.pod(name, name, node).await;
        scene.until(name, "AssignmentReady", "True").await;
        scene.until(name, "Ready", "True").await;
        until_carried(scene, name, true).await;
    }
    let expected = [format!("{READS_SECRETS} {}", vault())];
    assert_eq!(rights_of(scene, &shop).await, expected.into());

    scene.profile(&shop, shop_spec(json!([]))).await;
    scene.until(&shop, "Ready", "True").await;
    assert_eq!(rights_of(scene, &shop).await, BTreeSet::new());
    until_carried(scene, &shop, true).await;

    scene.delete_pod(&mail).await;
    scene.delete(&mail).await;
    until_carried(scene, &mail, false).await;
    until_carried(scene, &shop, true).await;
    scene.delete_pod(&shop).await;
    scene.delete(&shop).await;
    until_carried(scene, &shop, false).await;
    eventually("nothing is left in the cluster", async || {
        left_in_cluster(scene).await.is_empty().then_some(())
    })
    .await;
}

async fn rights_of(scene: &Scene, profile: &str) -> BTreeSet<String> {
    let profile = scene.until(profile, "Ready", "True").await;
    let identity = status(&profile).identity.expect("an identity");
    scene.rights(&identity.principal_id).await
}

fn identity(scene: &Scene, profile: &str) -> Value {
    json!({ "name": format!("{}-{profile}", scene.namespace) })
}

async fn until_carried(scene: &Scene, profile: &str, carried: bool) {
    let identity = format!("{}-{profile}", scene.namespace);
    scene
        .stage
        .until_carried(SET_NODES[0], &identity, carried)
        .await;
}

/// What there is in Azure, in words.
pub(super) async fn left(scene: &Scene) -> Vec<String> {
    let state = scene.stage.admin(Method::GET, "/state", None).await;
    let each = |kind: &str, fields: &[&str]| -> Vec<String> {
        let all = state[kind].as_array().expect("a list").iter();
        let words = |one: &Value| {
            let words = fields.iter().map(|field| one[field].to_string());
            words.collect::<Vec<_>>().join(" ")
        };
        all.map(words).collect()
    };
    let mut words = each("identities", &["id"]);
    words.extend(each("roleAssignments", &["principalId", "role", "scope"]));
    for machines in ["scaleSets", "virtualMachines"] {
        words.extend(each(machines, &["id", "systemAssigned", "userAssigned"]));
    }
    words.sort();
    words
}

/// What podid has in the cluster for profiles of the scene, and its records of VMs and scale sets.
async fn left_in_cluster(scene: &Scene) -> Vec<String> {
    let mut words = Vec::new();
    for profile in scene.list::<PodIdentityProfile>().await {
        words.push(format!("profile {}", profile.name_any()));
    }
    for identity in scene.list::<AzureIdentity>().await {
        words.push(format!("identity {}", identity.name_any()));
    }
    for binding in scene.list::<AzureIdentityBinding>().await {
        words.push(format!("binding {}", binding.name_any()));
    }
    for assigned in scene.list::<AzureAssignedIdentity>().await {
        words.push(format!("assignment {}", assigned.name_any()));
    }
    let records: Api<ConfigMap> = Api::namespaced(scene.stage.client.clone(), "podid-system");
    let params = ListParams::default().labels("podid.dev/ledger=machine");
    for record in records.list(&params).await.unwrap() {
        words.push(format!("record {}", record.name_any()));
    }
    words
}
