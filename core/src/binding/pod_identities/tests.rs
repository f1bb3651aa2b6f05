use std::collections::BTreeSet;

use super::*;
use crate::arm::ArmId;
use crate::binding::Unserved;
use crate::net_raw::{Breach, NetRaw};
use crate::owner::Origin;
use crate::testing::{binding, id, identity, pod};

#[test]
fn done_pods_and_unplaced_pods_hold_nothing() {
    let table = [
        (Some("s"), Some("n"), Some("Running"), true),
        (Some("s"), Some("n"), Some("Pending"), true),
        (Some("s"), Some("n"), None, true),
        (Some("s"), Some("n"), Some("Unknown"), true),
        (Some("s"), Some("n"), Some("Succeeded"), false),
        (Some("s"), Some("n"), Some("Failed"), false),
        (Some("s"), None, Some("Pending"), false),
        (Some("s"), Some(""), Some("Pending"), false),
        (Some(""), Some("n"), Some("Running"), false),
        (None, Some("n"), Some("Running"), false),
    ];
    for (selector, node, phase, holds) in table {
        assert_eq!(
            holds_identities(selector, node, is_completed(phase)),
            holds,
            "{selector:?} {node:?} {phase:?}"
        );
    }
}

#[test]
fn only_managed_identities_with_an_id_are_assigned() {
    let identities = [
        identity("managed", AzureIdentityType::Managed, id("managed")),
        identity(
            "secret",
            AzureIdentityType::ServicePrincipal(crate::testing::principal()),
            ArmId::new(""),
        ),
        identity(
            "odd",
            AzureIdentityType::Managed,
            ArmId::new("/subscriptions/s"),
        ),
        identity("blank", AzureIdentityType::Managed, id("two words")),
        identity("query", AzureIdentityType::Managed, id("x?y")),
    ];
    let bindings = [
        binding("z", "managed"),
        binding("b", "managed"),
        binding("c", "secret"),
        binding("d", "odd"),
        binding("e", "blank"),
        binding("f", "query"),
    ];
    let got = pod_identities(&pod(), &bindings, &identities, ServingRules::default());
    let wanted: Vec<_> = got
        .wanted
        .iter()
        .map(|a| (a.identity.name.as_str(), a.binding.name.as_str()))
        .collect();
    assert_eq!(
        wanted,
        [("managed", "b")],
        "the first binding by name is the one recorded"
    );
    let mut malformed: Vec<_> = got.malformed.iter().map(|it| it.name.as_str()).collect();
    malformed.sort_unstable();
    assert_eq!(malformed, ["blank", "odd", "query"]);
}

#[test]
fn pods_of_some_kinds_are_refused_whoever_binds_them() {
    let managed = identity("managed", AzureIdentityType::Managed, id("managed"));
    let (identities, bindings) = ([managed], [binding("a", "managed")]);
    let of = |unserved: Option<Unserved>| {
        let pod = Pod {
            breaches: [Breach::KeepsNetRaw("app".into())].into(),
            unserved,
            ..pod()
        };
        let bound = pod_identities(&pod, &bindings, &identities, ServingRules::default());
        let unbound = pod_identities(&pod, [], &identities, ServingRules::default());
        assert_eq!(unbound.refused, None, "nobody binds it");
        bound
    };
    let served = of(None);
    assert_eq!(served.refused, None, "nobody asks it to drop NET_RAW");
    assert_eq!(served.wanted.len(), 1);
    for (kind, reason, words) in [
        (
            Unserved::HostNetwork,
            "HostNamespaceUsed",
            "because the pod sets hostNetwork: true; in the pod's template, remove hostNetwork, ",
        ),
        (
            Unserved::Static,
            "StaticPod",
            "runs from a file; run it from the API server",
        ),
        (
            Unserved::Windows,
            "WindowsPod",
            "sets os: windows, and podid serves pods of Linux nodes only; run it on a Linux node",
        ),
    ] {
        let got = of(Some(kind));
        assert_eq!(got.wanted, [], "{kind:?}");
        let refused = got.refused.expect("refused");
        assert_eq!(refused.cause, RefusalCause::Unserved(kind));
        assert_eq!((refused.reason(), refused.identities.len()), (reason, 1));
        let message = refused.message();
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_refused_pod_is_told_which_containers_and_what_to_write() {
    let refused = RefusedPod {
        cause: RefusalCause::BreaksRule(
            [
                Breach::KeepsNetRaw("app".into()),
                Breach::Adds("app".into(), "SYS_ADMIN".into()),
                Breach::Privileged("side".into()),
                Breach::HostPid,
            ]
            .into(),
        ),
        identities: Vec::new(),
    };
    assert_eq!(refused.reason(), "BreaksNetRawRule");
    assert_eq!(
        refused.message(),
        "the pod gets no identity, because the pod sets hostPID: true, container app does not drop \
         NET_RAW, container app adds SYS_ADMIN, container side is privileged; in the pod's template, add \
         securityContext: {capabilities: {drop: [NET_RAW]}} to each container named; remove what is named \
         from securityContext.capabilities.add; remove securityContext.privileged; remove hostPID, and \
         recreate the pod"
    );
}

#[test]
fn a_pod_that_breaks_the_rule_of_its_profile_is_refused_everything() {
    let strict = AzureIdentity {
        origin: Origin::Profile,
        net_raw: NetRaw::Enforce,
        ..identity("strict", AzureIdentityType::Managed, id("strict"))
    };
    let other = identity("other", AzureIdentityType::Managed, id("other"));
    let (identities, bindings) = (
        [strict.clone(), other.clone()],
        [binding("a", "strict"), binding("b", "other")],
    );
    let of = |pod: &Pod| pod_identities(pod, &bindings, &identities, ServingRules::default());
    assert_eq!(of(&pod()).wanted.len(), 2);
    let breaches: BTreeSet<_> = [Breach::KeepsNetRaw("app".into())].into();
    let broken = of(&Pod {
        breaches: breaches.clone(),
        ..pod()
    });
    assert_eq!(broken.wanted, []);
    let identities = vec![other, strict];
    assert_eq!(
        broken.refused,
        Some(RefusedPod {
            cause: RefusalCause::BreaksRule(breaches),
            identities
        })
    );
}

#[test]
fn what_to_do_about_a_pod_of_many_containers_still_fits_an_event() {
    let keeps = |number| Breach::KeepsNetRaw(format!("{number:063}"));
    let others = [
        Breach::HostNetwork,
        Breach::HostPid,
        Breach::Adds("app".into(), "CAP_DAC_READ_SEARCH".into()),
        Breach::Privileged("app".into()),
    ];
    let refused = RefusedPod {
        cause: RefusalCause::BreaksRule((0..50).map(keeps).chain(others).collect()),
        identities: Vec::new(),
    };
    let message = refused.message();
    assert!(message.ends_with("remove hostPID, and recreate the pod"));
    // An Event takes 1024 bytes.
    assert!(message.len() < 1000, "{}: {message}", message.len());
}

#[test]
fn a_binding_without_its_identity_is_named() {
    let got = pod_identities(
        &pod(),
        &[binding("a", "gone")],
        &[],
        ServingRules::default(),
    );
    assert_eq!(got.dangling, [binding("a", "gone")]);
    assert_eq!(got.wanted, []);
}
