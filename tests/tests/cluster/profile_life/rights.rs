//! The operator has the rights that its calls need, and no others.

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::{ClusterRole, Role};
use kube::Api;
use podid_tests::rights::{self, Calls};
use serde_json::json;

use super::scene::{READS_SECRETS, Scene, access, vault};
use crate::fixture::eventually;
use crate::stage::VM_NODES;

const OPERATOR: &str = "system:serviceaccount:podid-system:podid-operator";

/// Rights that no call of the lab's operator shows, each with the reason.
const UNSEEN: [&str; 6] = [
    // A node is read before its taint is changed, and no daemon of this lab makes that necessary.
    "get /nodes",
    // The API server checks it where the admission plugin OwnerReferencesPermissionEnforcement is on.
    "update podid.dev/podidentityprofiles/finalizers",
    // Written when a VM or scale set is gone from the cluster with all its nodes.
    "delete /configmaps",
    // For taints, where node daemons run; none does in this lab.
    "patch /nodes",
    // What server-side apply needs beside patch: there is no such call of its own.
    "create aadpodidentity.k8s.io/*",
    "create /configmaps",
];

/// All that the operator may do, in the cluster and in its own namespace.
async fn granted(scene: &Scene) -> BTreeSet<String> {
    let client = &scene.stage.client;
    let of_cluster: Api<ClusterRole> = Api::all(client.clone());
    let own: Api<Role> = Api::namespaced(client.clone(), "podid-system");
    let of_cluster = of_cluster.get("podid-operator").await.unwrap();
    let own = own.get("podid-operator").await.unwrap();
    let roles = [
        serde_json::to_value(of_cluster).unwrap(),
        serde_json::to_value(own).unwrap(),
    ];
    roles.iter().flat_map(rights::granted).collect()
}

/// The operator's calls so far.
fn called(scene: &Scene) -> Calls {
    rights::called(&scene.stage.lab.audit_log(), OPERATOR).unwrap()
}

fn is_unseen(right: &str) -> bool {
    UNSEEN.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => right.starts_with(start),
        None => right == *known,
    })
}

#[tokio::test]
async fn every_right_of_the_operator_is_used_and_every_call_has_one() {
    let scene = Scene::open("used").await;
    let spec = json!({ "access": [access(READS_SECRETS, &vault())] });
    scene.ready("cart", spec).await;
    scene.pod("web", "cart", VM_NODES[0]).await;
    scene.until_assigned(&["web Assigned"]).await;
    scene.delete_pod("web").await;
    scene.delete("cart").await;
    let granted = granted(&scene).await;
    let mut missing = BTreeSet::new();
    eventually("a call for each right", async || {
        let used = called(&scene).allowed;
        let seen = granted.difference(&used).filter(|right| !is_unseen(right));
        let now: BTreeSet<String> = seen.cloned().collect();
        if now != missing {
            eprintln!("no call used {now:?}");
        }
        missing = now;
        missing.is_empty().then_some(())
    })
    .await;
    let mut forbidden = called(&scene).forbidden;
    // An API server that was killed and comes back, as in `outage`, refuses all until it has read its roles.
    forbidden.retain(|call| !granted.contains(call));
    assert_eq!(forbidden, BTreeSet::new(), "a call that no right covers");
}
