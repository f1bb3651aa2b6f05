//! What the predecessor's own tests on real clusters tried, as far as the operator is concerned and no other file of this
//! folder has it.

use podid_azure::{ArmCompute, Compute, ComputeIdentity, ComputeTarget, ResourceGroupId};
use podid_crds::aadpodidentity::{AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding};
use podid_lab::layout::{NODE_GROUP, SUBSCRIPTION};
use serde_json::json;

use super::FOREIGN;
use super::machines::machine_id;
use super::scene::Scene;
use crate::fixture::eventually;
use crate::stage::{SET, SET_NODES, VM_NODES};

#[tokio::test]
async fn equal_names_in_two_namespaces_are_two_identities_and_the_pod_has_both() {
    let scene = Scene::open("conflict").await;
    let elsewhere = scene.neighbour("conflict").await;
    let mut both = [
        scene.bind("web", "id").await,
        elsewhere.bind("web", "id").await,
    ];
    both.sort();
    scene.pod("web", "web", VM_NODES[0]).await;
    for identity in &both {
        scene.stage.until_carried(VM_NODES[0], identity, true).await;
    }
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    let objects = scene.list::<AzureAssignedIdentity>().await;
    let reference = |object: &AzureAssignedIdentity| {
        let identity = object.spec.azure_identity_ref.clone().expect("a reference");
        identity.metadata.namespace
    };
    let mut namespaces: Vec<String> = objects.iter().map(reference).collect();
    namespaces.sort();
    let mut expected = [&scene.namespace, &elsewhere.namespace];
    expected.sort();
    assert_eq!(namespaces.iter().collect::<Vec<_>>(), expected);

    scene.delete_pod("web").await;
    for identity in &both {
        scene
            .stage
            .until_carried(VM_NODES[0], identity, false)
            .await;
    }
}

#[tokio::test]
async fn identities_go_one_by_one_in_any_order() {
    let scene = Scene::open("order").await;
    let names = ["a", "b", "c", "d", "e"];
    for order in [[0, 1, 2, 3, 4], [3, 0, 4, 1, 2]] {
        for name in names {
            // Those of the first round are in Azure still.
            scene.bind(name, name).await;
            scene.pod(name, name, VM_NODES[1]).await;
        }
        let mut left = names.map(|name| (name, name, "Assigned")).to_vec();
        scene.until_assigned(&left).await;
        for position in order {
            let name = names[position];
            scene.delete_object::<AzureIdentityBinding>(name).await;
            left.retain(|(pod, ..)| *pod != name);
            scene.until_assigned(&left).await;
            let full = scene.own(name);
            scene.stage.until_carried(VM_NODES[1], &full, false).await;
            let kept = left.iter().map(|(pod, ..)| scene.own(pod));
            let kept: Vec<String> = kept.chain([FOREIGN.to_owned()]).collect();
            let carried = scene.stage.carried(VM_NODES[1]).await;
            assert!(
                carried.len() == kept.len() && kept.iter().all(|name| carried.contains(name)),
                "{carried:?}, but {kept:?} is used"
            );
        }
        for name in names {
            scene.delete_object::<AzureIdentity>(name).await;
            scene.delete_pod(name).await;
        }
        eventually("the pods are gone", async || {
            scene.no_pods().await.then_some(())
        })
        .await;
    }
}

/// Weakness 49 of the predecessor: where the last user-assigned identity had been taken off by hand, deleting the pod made
/// it write the type `None`, which strips the machine of its system-assigned identity.
#[tokio::test]
async fn a_system_assigned_identity_stays_whatever_comes_and_goes_beside_it() {
    let scene = Scene::open("system").await;
    let (vm, set) = (scene.own("vm"), scene.own("set"));
    let system = json!({ "systemAssigned": true });
    scene
        .seed(json!({
            "virtualMachines": [{ "name": vm, "resourceGroup": NODE_GROUP, "identity": system }],
            "scaleSets": [{
                "name": set, "resourceGroup": NODE_GROUP, "identity": system,
                "instances": [{ "id": "0" }],
            }],
        }))
        .await;
    let group = || ResourceGroupId::new(SUBSCRIPTION, NODE_GROUP);
    let machines = [
        ComputeTarget::Vm {
            group: group(),
            name: vm.clone(),
        },
        ComputeTarget::ScaleSet {
            group: group(),
            name: set.clone(),
        },
    ];
    let compute = ArmCompute::new(&scene.stage.arm());
    let state = async |machine: &ComputeTarget| -> ComputeIdentity {
        let found = compute.get_identity(machine).await.unwrap();
        found.expect("the machine")
    };
    let principal = async |machine: &ComputeTarget| {
        let found = state(machine).await;
        assert!(found.kind.system_assigned, "{found:?}");
        found.system_principal_id.expect("a principal")
    };
    let before = [principal(&machines[0]).await, principal(&machines[1]).await];

    let identity = scene.bind("web", "id").await;
    let nodes = [scene.own("on-vm"), scene.own("on-set")];
    let set_id = machine_id(SUBSCRIPTION, NODE_GROUP, "virtualMachineScaleSets", &set);
    let on = [
        machine_id(SUBSCRIPTION, NODE_GROUP, "virtualMachines", &vm),
        format!("{set_id}/virtualMachines/0"),
    ];
    for (node, machine) in nodes.iter().zip(&on) {
        scene.join_node(node, Some(machine)).await;
        scene.pod(node, "web", node).await;
    }
    let both = [0, 1].map(|number| (nodes[number].as_str(), "id", "Assigned"));
    scene.until_assigned(&both).await;
    for (machine, before) in machines.iter().zip(&before) {
        assert_eq!(&principal(machine).await, before);
        assert!(state(machine).await.kind.user_assigned);
    }

    // On the VM the identity is taken off by podid, on the scale set by somebody else before.
    scene.stage.stop_operator();
    scene.stage.take_off_machine(&machines[1], &identity).await;
    for pod in &nodes {
        scene.remove_pod(pod).await;
    }
    scene.stage.start_operator();
    scene.stage.until_carried(&vm, &identity, false).await;
    scene.until_assigned(&[]).await;
    eventually("the ledger forgets it", async || {
        (!scene.ledger().await.contains(&identity)).then_some(())
    })
    .await;
    for (machine, before) in machines.iter().zip(&before) {
        assert_eq!(&principal(machine).await, before);
        assert!(!state(machine).await.kind.user_assigned);
    }
    assert_eq!(scene.stage.calls("arm.vm.patch", &vm).await, [200, 200]);
    let of_set = scene.stage.calls("arm.vmss.patch", &set).await;
    assert_eq!(of_set, [200, 200], "one by podid, one by hand");
    for node in &nodes {
        scene.remove_node(node).await;
    }
}

/// Weakness 39 of the predecessor: an identity whose client id the AzureIdentity wrote in capitals was not found in the list
/// of those that are never taken off.
#[tokio::test]
async fn an_immutable_identity_is_put_on_and_never_taken_off_whatever_its_spelling() {
    let scene = Scene::open("immutable").await;
    let name = scene.own("id");
    let (id, client_id) = scene.stage.identity(&name).await;
    let listed = id
        .to_uppercase()
        .replace("/SUBSCRIPTIONS", "/subscriptions");
    let _immutable = super::legacy::Restarted::with(&scene, "PODID_IMMUTABLE_IDENTITIES", &listed);
    scene
        .bind_id("web", "id", &id, &client_id.to_uppercase())
        .await;
    let other = scene.bind("web", "other").await;
    scene.pod("web", "web", VM_NODES[0]).await;
    let both = [("web", "id", "Assigned"), ("web", "other", "Assigned")];
    scene.until_assigned(&both).await;
    scene.delete_pod("web").await;
    scene.until_assigned(&[]).await;
    scene.stage.until_carried(VM_NODES[0], &other, false).await;
    scene.stage.until_quiet().await;
    let mut kept = [FOREIGN.to_owned(), name.clone()];
    kept.sort();
    assert_eq!(scene.stage.carried(VM_NODES[0]).await, kept);
    scene.stage.take_off(VM_NODES[0], &name).await;
}

#[tokio::test]
async fn newcomers_that_azure_refuses_take_nothing_from_those_that_are_there() {
    let scene = Scene::open("newcomers").await;
    let good = scene.bind("web", "good").await;
    scene.pod("web", "web", SET_NODES[0]).await;
    scene.until_assigned(&[("web", "good", "Assigned")]).await;
    let version = async || {
        let objects = scene.list::<AzureAssignedIdentity>().await;
        let of_good = objects.into_iter().find(|object| {
            let identity = object.spec.azure_identity_ref.as_ref();
            identity.is_some_and(|identity| identity.metadata.name == "good")
        });
        of_good.expect("the object").metadata.resource_version
    };
    let before = version().await;
    for name in ["bad", "worse"] {
        let poison = json!({ "preset": "poisoned-identity", "resource": scene.own(name) });
        scene.stage.fault(poison).await;
        scene.bind("web", name).await;
    }
    let refused = [
        ("web", "bad", "Failed"),
        ("web", "good", "Assigned"),
        ("web", "worse", "Failed"),
    ];
    scene.until_assigned(&refused).await;
    assert_eq!(version().await, before, "it was Assigned all the time");
    let taken = scene.stage.calls("arm.vmss.patch", SET).await;
    assert_eq!(
        taken.iter().filter(|status| **status == 200).count(),
        1,
        "{taken:?}"
    );
    let mut carried = [FOREIGN.to_owned(), good.clone()];
    carried.sort();
    assert_eq!(scene.stage.carried(SET_NODES[0]).await, carried);
    scene.stage.heal().await;
    scene.delete_pod("web").await;
    for identity in [good, scene.own("bad"), scene.own("worse")] {
        scene
            .stage
            .until_carried(SET_NODES[0], &identity, false)
            .await;
    }
}

#[tokio::test]
async fn without_its_azure_identity_or_its_binding_a_pod_has_nothing_until_both_are_there() {
    let scene = Scene::open("parts").await;
    let identity = scene.bind("web", "id").await;
    let (id, client_id) = scene.stage.find_identity(&identity).await;
    scene.pod("web", "web", VM_NODES[0]).await;
    let assigned = [("web", "id", "Assigned")];
    scene.until_assigned(&assigned).await;

    scene.delete_object::<AzureIdentity>("id").await;
    scene.until_assigned(&[]).await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;
    scene.until_event("web", "IdentityMissing").await;
    scene
        .create::<AzureIdentity>(json!({
            "metadata": { "name": "id" },
            "spec": { "type": 0, "resourceID": id, "clientID": client_id },
        }))
        .await;
    scene.until_assigned(&assigned).await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, true)
        .await;

    scene.delete_object::<AzureIdentityBinding>("id").await;
    scene.until_assigned(&[]).await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;
    scene.delete_pod("web").await;
}
