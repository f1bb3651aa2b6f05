//! Where an identity goes when nodes come, go, and are on machines of any group and subscription.

use podid_lab::layout::{NODE_GROUP, SUBSCRIPTION};
use serde_json::json;

use super::machines::machine_id;
use super::scene::Scene;
use crate::fixture::eventually;
use crate::stage::VM_NODES;

/// A second subscription, in which the operator may change machines.
const OTHER: &str = "5ab0c0de-0000-4000-8000-000000000002";
const SETS: &str = "virtualMachineScaleSets";
const VMS: &str = "virtualMachines";

/// Weakness 38 of the predecessor: it took subscription and resource group of every machine from its own settings, a
/// node's name for its VM's, and two scale sets of one name for one.
#[tokio::test]
async fn machines_of_one_name_in_several_groups_and_subscriptions_are_told_apart() {
    let scene = Scene::open("places").await;
    let (name, group) = (scene.own("pool"), scene.own("nodes"));
    let places = [
        (SUBSCRIPTION, NODE_GROUP, SETS),
        (SUBSCRIPTION, group.as_str(), SETS),
        (OTHER, NODE_GROUP, SETS),
        (OTHER, group.as_str(), VMS),
    ];
    let place = |(subscription, group, kind): (&str, &str, &str)| {
        let mut place =
            json!({ "name": name, "subscription": subscription, "resourceGroup": group });
        if kind == SETS {
            place["instances"] = json!([{ "id": "0" }]);
        }
        place
    };
    let own_group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}");
    let rights = [own_group.as_str(), &format!("/subscriptions/{OTHER}")];
    scene
        .seed(json!({
            "subscriptions": [SUBSCRIPTION, OTHER],
            "scaleSets": places[..3].iter().copied().map(place).collect::<Vec<_>>(),
            "virtualMachines": [place(places[3])],
            "roleAssignments": rights.map(Scene::may_change_machines),
        }))
        .await;

    let machines =
        places.map(|(subscription, group, kind)| machine_id(subscription, group, kind, &name));
    let mut identities = Vec::new();
    let words = ["a", "b", "c", "d"];
    for (word, machine) in words.into_iter().zip(&machines) {
        identities.push(scene.bind(word, word).await);
        let on_machine = match machine.contains(SETS) {
            true => format!("{machine}/virtualMachines/0"),
            false => machine.clone(),
        };
        let node = scene.own(&format!("node-{word}"));
        scene.join_node(&node, Some(&on_machine)).await;
        scene.pod(word, word, &node).await;
    }
    scene
        .until_assigned(&words.map(|word| (word, word, "Assigned")))
        .await;
    for (machine, identity) in machines.iter().zip(&identities) {
        assert_eq!(scene.stage.carried(machine).await, [identity.as_str()]);
        let patch = match machine.contains(SETS) {
            true => "arm.vmss.patch",
            false => "arm.vm.patch",
        };
        assert_eq!(scene.stage.calls(patch, machine).await, [200], "{machine}");
    }

    for word in words {
        scene.remove_pod(word).await;
    }
    for (machine, identity) in machines.iter().zip(&identities) {
        scene.stage.until_carried(machine, identity, false).await;
    }
    for word in words {
        scene.remove_node(&scene.own(&format!("node-{word}"))).await;
    }
}

/// Weakness 50 of the predecessor: it forgot a pod that it saw before its node until something else happened in the
/// cluster, up to ten minutes later; and took a node without a provider id for a VM.
#[tokio::test]
async fn a_pod_waits_for_its_node_and_for_what_the_node_is_on() {
    let scene = Scene::open("early").await;
    let vm = scene.own("vm");
    scene
        .seed(json!({ "virtualMachines": [{ "name": vm, "resourceGroup": NODE_GROUP }] }))
        .await;
    let identity = scene.bind("web", "id").await;
    let node = scene.own("node");
    scene.pod("early", "web", &node).await;
    // Pods are seen in their order: when this one is known, so is the first.
    scene.pod("seen", "web", VM_NODES[0]).await;
    let seen = ("seen", "id", "Assigned");
    scene.until_assigned(&[seen]).await;

    scene.join_node(&node, None).await;
    // So are nodes.
    let second = scene.own("second");
    let machine = machine_id(SUBSCRIPTION, NODE_GROUP, VMS, &vm);
    scene.pod("later", "web", &second).await;
    scene.join_node(&second, Some(&machine)).await;
    let later = ("later", "id", "Assigned");
    scene.until_assigned(&[seen, later]).await;

    scene.place_node(&node, &machine).await;
    scene
        .until_assigned(&[("early", "id", "Assigned"), seen, later])
        .await;
    assert_eq!(scene.stage.carried(&machine).await, [identity.as_str()]);
    assert_eq!(scene.stage.calls("arm.vm.patch", &machine).await, [200]);
    let not_a_vm = scene.stage.calls("arm.vm.get", &node).await;
    assert_eq!(not_a_vm, [0_u64; 0], "the node's name is no VM's");

    for pod in ["early", "later"] {
        scene.remove_pod(pod).await;
    }
    scene.delete_pod("seen").await;
    for machine in [machine.as_str(), VM_NODES[0]] {
        scene.stage.until_carried(machine, &identity, false).await;
    }
    for node in [node, second] {
        scene.remove_node(&node).await;
    }
}

/// Weakness 33 of the predecessor: an identity stayed on a scale set for good when the node object went before the pods
/// that used it there.
#[tokio::test]
async fn scale_out_assigns_nothing_anew_and_the_last_node_takes_the_identity_with_it() {
    let scene = Scene::open("scale").await;
    let set = scene.own("set");
    let instances: Vec<_> = (0..3).map(|id| json!({ "id": id.to_string() })).collect();
    scene
        .seed(json!({
            "scaleSets": [{ "name": set, "resourceGroup": NODE_GROUP, "instances": instances }],
        }))
        .await;
    let machine = machine_id(SUBSCRIPTION, NODE_GROUP, SETS, &set);
    let identity = scene.bind("web", "id").await;
    let nodes = [0, 1, 2].map(|number| scene.own(&format!("node-{number}")));
    let pods = ["first", "second", "third"];
    let assigned = pods.map(|pod| (pod, "id", "Assigned"));
    for (number, (node, pod)) in nodes.iter().zip(pods).enumerate() {
        let instance = format!("{machine}/virtualMachines/{number}");
        scene.join_node(node, Some(&instance)).await;
        scene.pod(pod, "web", node).await;
        scene.until_assigned(&assigned[..=number]).await;
        let calls = scene.stage.calls("arm.vmss.patch", &machine).await;
        assert_eq!(calls, [200], "the model carries it for all instances");
    }

    for (number, node) in nodes.iter().enumerate() {
        assert_eq!(scene.stage.carried(&machine).await, [identity.as_str()]);
        scene.remove_node(node).await;
        scene.until_assigned(&assigned[number + 1..]).await;
    }
    scene.stage.until_carried(&machine, &identity, false).await;
    let calls = scene.stage.calls("arm.vmss.patch", &machine).await;
    assert_eq!(calls, [200, 200]);
    eventually("the ledger forgets it", async || {
        (!scene.ledger().await.contains(&identity)).then_some(())
    })
    .await;
    for pod in pods {
        scene.remove_pod(pod).await;
    }
}

#[tokio::test]
async fn an_instance_of_a_flexible_scale_set_carries_its_own_identities() {
    let scene = Scene::open("flexible").await;
    let (set, vm, other) = (scene.own("set"), scene.own("vm"), scene.own("other"));
    let instance =
        |name: &str| json!({ "name": name, "resourceGroup": NODE_GROUP, "scaleSet": set });
    scene
        .seed(json!({
            "scaleSets": [{
                "name": set, "resourceGroup": NODE_GROUP, "orchestration": "Flexible",
            }],
            "virtualMachines": [instance(&vm), instance(&other)],
        }))
        .await;
    let identity = scene.bind("web", "id").await;
    let node = scene.own("node");
    let machine = machine_id(SUBSCRIPTION, NODE_GROUP, VMS, &vm);
    scene.join_node(&node, Some(&machine)).await;
    scene.pod("web", "web", &node).await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    assert_eq!(scene.stage.carried(&vm).await, [identity.as_str()]);
    for without in [&set, &other] {
        assert_eq!(scene.stage.carried(without).await, [""; 0], "{without}");
    }
    for operation in ["arm.vmss.get", "arm.vmss.patch"] {
        let calls = scene.stage.calls(operation, &set).await;
        assert_eq!(calls, [0_u64; 0], "{operation}");
    }
    scene.remove_pod("web").await;
    scene.stage.until_carried(&vm, &identity, false).await;
    assert_eq!(scene.stage.calls("arm.vm.patch", &vm).await, [200, 200]);
    scene.remove_node(&node).await;
}

/// Weakness 33 of the predecessor: one node whose provider id it could not read kept it from taking anything off any
/// machine, while it deleted the objects that said what was there.
#[tokio::test]
async fn a_node_on_something_else_is_told_to_its_pods_and_hinders_no_other_node() {
    let scene = Scene::open("odd").await;
    let identity = scene.bind("web", "id").await;
    let node = scene.own("node");
    scene
        .join_node(&node, Some("/subscriptions/s/disks/d"))
        .await;
    scene.pod("odd", "web", &node).await;
    scene.pod("good", "web", VM_NODES[0]).await;
    let refused = ("odd", "id", "Failed");
    scene
        .until_assigned(&[("good", "id", "Assigned"), refused])
        .await;
    scene.delete_pod("good").await;
    scene.until_assigned(&[refused]).await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;
    scene.remove_pod("odd").await;
    scene.until_assigned(&[]).await;
    scene.remove_node(&node).await;
}
