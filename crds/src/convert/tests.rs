use serde_json::{Value, json};

use super::*;

fn azure_identity(owners: Value, annotations: Value) -> AzureIdentity {
    let object = json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
        "metadata": {"name": "p", "ownerReferences": owners, "annotations": annotations},
        "spec": {"type": 0},
    });
    identity(&serde_json::from_value(object).unwrap()).unwrap()
}

fn owner(api_version: &str, kind: &str, controller: bool) -> Value {
    json!([{
        "apiVersion": api_version, "kind": kind, "name": "p", "uid": "u", "controller": controller,
    }])
}

#[test]
fn only_a_controlling_profile_makes_an_object_a_profiles() {
    let profile = "PodIdentityProfile";
    let table = [
        (owner("podid.dev/v1alpha1", profile, true), Origin::Profile),
        (owner("podid.dev/v1", profile, true), Origin::Profile),
        (
            owner("podid.dev/v1alpha1", profile, false),
            Origin::HandWritten,
        ),
        (
            owner("podid.dev.evil/v1", profile, true),
            Origin::HandWritten,
        ),
        (
            owner("podid.dev/v1alpha1", "PodIdentityClass", true),
            Origin::HandWritten,
        ),
        (
            json!([{
                "apiVersion": "podid.dev/v1alpha1", "kind": profile, "name": "another", "uid": "u",
                "controller": true,
            }]),
            Origin::HandWritten,
        ),
        (json!([]), Origin::HandWritten),
    ];
    for (owners, origin) in table {
        assert_eq!(
            azure_identity(owners.clone(), json!({})).origin,
            origin,
            "{owners}"
        );
    }
}

#[test]
fn a_profiles_identity_is_strict_unless_it_says_otherwise() {
    let profile = owner("podid.dev/v1alpha1", "PodIdentityProfile", true);
    let says = |owners: &Value, word: &str| {
        azure_identity(owners.clone(), json!({NET_RAW_ANNOTATION: word})).net_raw
    };
    assert_eq!(says(&profile, "Ignore"), NetRaw::Ignore);
    assert_eq!(says(&profile, "Audit"), NetRaw::Audit);
    assert_eq!(says(&profile, "ignore"), NetRaw::Enforce);
    assert_eq!(azure_identity(profile, json!({})).net_raw, NetRaw::Enforce);
    assert_eq!(
        says(&json!([]), "Enforce"),
        NetRaw::Ignore,
        "nobody's profile asks"
    );
}

#[test]
fn windows_pods_are_excused() {
    let breaches = |os: Value| {
        let spec = json!({"os": os, "hostPID": true, "containers": [{"name": "app"}]});
        let object = json!({"metadata": {"name": "p"}, "spec": spec});
        pod(&serde_json::from_value(object).unwrap()).breaches.len()
    };
    assert_eq!(breaches(json!({"name": "windows"})), 0);
    assert_eq!(breaches(json!({"name": "linux"})), 2);
    assert_eq!(breaches(json!(null)), 2);
}

#[test]
fn what_a_profile_has_left_behind_is_no_identity() {
    let read = |by: &str, owners: &Value| {
        let labels = json!({MANAGED_BY_LABEL: by});
        let object = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
            "metadata": {"name": "p", "ownerReferences": owners, "labels": labels},
            "spec": {"type": 0},
        });
        identity(&serde_json::from_value(object).unwrap()).map(|one| one.origin)
    };
    let owned = owner("podid.dev/v1alpha1", "PodIdentityProfile", true);
    assert_eq!(read(OPERATOR, &owned), Some(Origin::Profile));
    assert_eq!(read(OPERATOR, &json!([])), None);
    assert_eq!(read("Helm", &json!([])), Some(Origin::HandWritten));
    let bound = |by: &str| {
        let object = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding",
            "metadata": {"name": "p", "labels": {MANAGED_BY_LABEL: by}},
            "spec": {"azureIdentity": "p", "selector": "p"},
        });
        binding(&serde_json::from_value(object).unwrap()).map(|one| one.origin)
    };
    assert_eq!(
        (bound(OPERATOR), bound("Helm")),
        (None, Some(Origin::HandWritten))
    );
}

#[test]
fn kinds_of_pods_that_are_never_served_are_known() {
    let of = |annotations: Value, spec: Value| {
        let metadata = json!({"name": "p", "annotations": annotations});
        let object = json!({"metadata": metadata, "spec": spec});
        pod(&serde_json::from_value(object).unwrap()).unserved
    };
    let spec = |key: &str, value: Value| json!({"containers": [], key: value});
    let mirror = json!({"kubernetes.io/config.mirror": "a1"});
    let plain = spec("hostPID", json!(true));
    let host_network = spec("hostNetwork", json!(true));
    let table = [
        (json!({}), plain.clone(), None),
        (
            json!({"kubernetes.io/config.source": "api"}),
            plain.clone(),
            None,
        ),
        (json!({}), spec("os", json!({"name": "linux"})), None),
        (
            json!({}),
            spec("os", json!({"name": "windows"})),
            Some(podid_core::binding::Unserved::Windows),
        ),
        (
            mirror.clone(),
            plain,
            Some(podid_core::binding::Unserved::Static),
        ),
        (
            mirror,
            host_network.clone(),
            Some(podid_core::binding::Unserved::HostNetwork),
        ),
        (
            json!({}),
            host_network,
            Some(podid_core::binding::Unserved::HostNetwork),
        ),
    ];
    for (annotations, spec, kind) in table {
        assert_eq!(
            of(annotations.clone(), spec.clone()),
            kind,
            "{annotations} {spec}"
        );
    }
}

#[test]
fn every_kind_of_container_counts() {
    let spec = |kind: &str| {
        let mut spec = json!({"containers": [
            {"name": "good", "securityContext": {"capabilities": {"drop": ["ALL"]}}},
        ]});
        let bad = json!({"name": "bad", "securityContext": {"privileged": true}});
        match spec[kind].as_array_mut() {
            Some(containers) => containers.push(bad),
            None => spec[kind] = json!([bad]),
        }
        let object = json!({"metadata": {"name": "p"}, "spec": spec});
        pod(&serde_json::from_value(object).unwrap()).breaches
    };
    for kind in ["containers", "initContainers", "ephemeralContainers"] {
        let found = podid_core::net_raw::describe(&spec(kind));
        let expected = "container bad does not drop NET_RAW, container bad is privileged";
        assert_eq!(found, expected, "{kind}");
    }
}

#[test]
fn a_pods_addresses_are_its_ipv4_ones_once_each() {
    let object = json!({
        "metadata": {"name": "p"},
        "status": {"podIP": "10.0.0.2", "podIPs": [{"ip": "fd00::2"}, {"ip": "10.0.0.2"}]},
    });
    let addresses = ipv4_addresses(&serde_json::from_value(object).unwrap());
    assert_eq!(addresses, [std::net::Ipv4Addr::new(10, 0, 0, 2)]);
}

#[test]
fn a_node_without_a_provider_id_is_no_target_yet() {
    let node = serde_json::from_value(json!({ "metadata": { "name": "n" } })).unwrap();
    assert_eq!(
        target_of(&node),
        Err(podid_core::target::NodeTargetError::Empty)
    );
}

#[test]
fn a_windows_node_is_no_target() {
    let node = |os: &str| {
        let labels = json!({"kubernetes.io/os": os});
        let spec = json!({"providerID": "azure:///subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/vm"});
        let node = json!({"metadata": {"name": "n", "labels": labels}, "spec": spec});
        target_of(&serde_json::from_value(node).unwrap())
    };
    assert!(node("linux").is_ok());
    assert_eq!(
        node("windows"),
        Err(podid_core::target::NodeTargetError::Windows)
    );
}

#[test]
fn former_identities_are_read_as_they_are_written() {
    let read = |annotation: Value| {
        let object = json!({
            "metadata": {"name": "p", "annotations": {FORMER_IDENTITIES_ANNOTATION: annotation}},
            "spec": {"type": 0},
        });
        former_identities(&serde_json::from_value(object).unwrap())
    };
    let former: BTreeMap<ArmId, String> = [
        (ArmId::new("/subscriptions/s/one"), "client-one".to_owned()),
        (ArmId::new("/subscriptions/s/two"), "client-two".to_owned()),
    ]
    .into();
    let written = write_former_identities(&former).unwrap();
    assert_eq!(
        written,
        r#"{"/subscriptions/s/one":"client-one","/subscriptions/s/two":"client-two"}"#
    );
    assert_eq!(read(written.into()), former);
    assert_eq!(write_former_identities(&BTreeMap::new()), None);
    for unreadable in ["", "client-one", "[]", r#"{"/one":1}"#] {
        assert_eq!(read(unreadable.into()), BTreeMap::new(), "{unreadable}");
    }
}
