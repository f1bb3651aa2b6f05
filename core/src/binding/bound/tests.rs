use super::*;

fn pod(namespace: &str, selector: Option<&str>) -> Pod {
    Pod {
        namespace: namespace.into(),
        name: "p".into(),
        uid: "u".into(),
        selector: selector.map(Into::into),
        service_account: "default".into(),
        breaches: BTreeSet::new(),
        unserved: None,
    }
}

fn identity(namespaced: bool) -> AzureIdentity {
    AzureIdentity {
        namespace: "a".into(),
        name: "i".into(),
        kind: AzureIdentityType::Managed,
        client_id: "c".into(),
        resource_id: "/x".into(),
        principal_id: None,
        namespaced,
        origin: Origin::HandWritten,
        net_raw: NetRaw::Ignore,
        class: None,
    }
}

fn binding(selector: &str) -> Binding {
    Binding {
        namespace: "a".into(),
        name: "b".into(),
        identity: "i".into(),
        selector: selector.into(),
        service_accounts: BTreeSet::new(),
        origin: Origin::HandWritten,
    }
}

#[test]
fn an_empty_selector_matches_no_pod() {
    for selector in [None, Some("")] {
        let pod = pod("a", selector);
        assert!(
            !binding("").binds(&pod, &identity(false), BindingScope::Cluster),
            "{selector:?}"
        );
    }
}

#[test]
fn scope_follows_the_annotation_and_the_flag() {
    let (near, far) = (pod("a", Some("s")), pod("z", Some("s")));
    let table = [
        (&near, false, BindingScope::Cluster, true),
        (&far, false, BindingScope::Cluster, true),
        (&near, true, BindingScope::Cluster, true),
        (&far, true, BindingScope::Cluster, false),
        (&near, false, BindingScope::Namespace, true),
        (&far, false, BindingScope::Namespace, false),
    ];
    for (pod, namespaced, scope, binds) in table {
        assert_eq!(
            binding("s").binds(pod, &identity(namespaced), scope),
            binds,
            "{} {namespaced} {scope:?}",
            pod.namespace
        );
    }
}

/// A class and a Role allow a service principal to one namespace.
#[test]
fn a_service_principal_is_for_pods_of_its_own_namespace() {
    let kind = AzureIdentityType::ServicePrincipal(crate::testing::principal());
    let principal = AzureIdentity {
        kind,
        ..identity(false)
    };
    for (namespace, binds) in [("a", true), ("z", false)] {
        let pod = pod(namespace, Some("s"));
        let found = binding("s").binds(&pod, &principal, BindingScope::Cluster);
        assert_eq!(found, binds, "{namespace}");
    }
}

#[test]
fn service_accounts_narrow_a_binding() {
    let mut narrow = binding("s");
    narrow.service_accounts = ["app".to_owned()].into();
    let mut pod = pod("a", Some("s"));
    assert!(!narrow.binds(&pod, &identity(true), BindingScope::Cluster));
    pod.service_account = "app".into();
    assert!(narrow.binds(&pod, &identity(true), BindingScope::Cluster));
}

#[test]
fn a_pod_of_another_account_is_told_of_the_binding_only_while_nothing_else_binds_it() {
    let narrow = Binding {
        name: "narrow".into(),
        service_accounts: ["app".to_owned()].into(),
        ..binding("s")
    };
    let narrowed = |pod: &Pod, bindings: &[Binding], namespaced: bool| {
        let identities = [identity(namespaced)];
        let bound = BoundIdentities::of(pod, bindings, &identities, ServingRules::default());
        let names = bound.narrowed.iter();
        names.map(|one| one.name.clone()).collect::<Vec<_>>()
    };
    let (near, far) = (pod("a", Some("s")), pod("z", Some("s")));
    let none = Vec::<String>::new();
    assert_eq!(
        narrowed(&near, std::slice::from_ref(&narrow), true),
        ["narrow"]
    );
    assert_eq!(
        narrowed(&far, std::slice::from_ref(&narrow), false),
        ["narrow"]
    );
    assert_eq!(
        narrowed(&far, std::slice::from_ref(&narrow), true),
        none,
        "out of its reach"
    );
    assert_eq!(narrowed(&near, &[narrow.clone(), binding("s")], true), none);
    let right = Pod {
        service_account: "app".into(),
        ..near
    };
    assert_eq!(narrowed(&right, &[narrow], true), none);
}

fn bound<'a>(
    pod: &Pod,
    bindings: &'a [Binding],
    identities: &'a [AzureIdentity],
    scope: BindingScope,
) -> (Vec<String>, Vec<&'a str>) {
    let rules = ServingRules {
        scope,
        ..ServingRules::default()
    };
    let bound = BoundIdentities::of(pod, bindings, identities, rules);
    let dangling = bound.dangling.iter().map(|b| b.identity.as_str()).collect();
    let uses = bound.uses.iter();
    (uses.map(|(one, _)| one.full_name()).collect(), dangling)
}

#[test]
fn two_bindings_to_one_identity_bind_it_once_by_the_first() {
    let second = Binding {
        name: "b2".into(),
        ..binding("s")
    };
    let (bindings, identities) = ([second, binding("s")], [identity(false)]);
    let pod = pod("a", Some("s"));
    let bound = BoundIdentities::of(&pod, &bindings, &identities, ServingRules::default());
    assert_eq!(bound.uses, [(&identities[0], &bindings[1])]);
}

#[test]
fn a_profile_of_the_pods_namespace_decides_alone() {
    let foreign = Binding {
        namespace: "z".into(),
        ..binding("s")
    };
    let theirs = AzureIdentity {
        namespace: "z".into(),
        ..identity(false)
    };
    let (mut own, identities) = (binding("s"), [identity(true), theirs]);
    let pod = pod("a", Some("s"));
    let all = |own: &Binding| {
        let bindings = [own.clone(), foreign.clone()];
        bound(&pod, &bindings, &identities, BindingScope::Cluster).0
    };
    assert_eq!(all(&own), ["a/i", "z/i"]);
    own.origin = Origin::Profile;
    assert_eq!(all(&own), ["a/i"]);
    // The profile decides about its label, also where its service accounts exclude the pod.
    own.service_accounts = ["another".to_owned()].into();
    assert_eq!(all(&own), Vec::<String>::new());
    // A profile of another namespace decides nothing here.
    own.namespace = "y".into();
    assert_eq!(all(&own), ["z/i"]);
}

#[test]
fn a_dangling_binding_is_reported_for_the_pods_it_selects() {
    let pod = pod("a", Some("s"));
    let dangling = |namespace: &str, selector: &str, scope| {
        let bindings = [Binding {
            namespace: namespace.into(),
            identity: "gone".into(),
            ..binding(selector)
        }];
        let identities = [identity(false)];
        let found = bound(&pod, &bindings, &identities, scope).1;
        found.len() == 1
    };
    assert!(dangling("a", "s", BindingScope::Namespace));
    assert!(dangling("z", "s", BindingScope::Cluster));
    assert!(!dangling("z", "s", BindingScope::Namespace));
    assert!(!dangling("a", "other", BindingScope::Cluster));
}

#[test]
fn one_strict_identity_holds_the_pod_to_the_rule_for_all() {
    let strict = AzureIdentity {
        name: "strict".into(),
        origin: Origin::Profile,
        net_raw: NetRaw::Enforce,
        ..identity(false)
    };
    let to_strict = Binding {
        identity: "strict".into(),
        ..binding("s")
    };
    let (bindings, identities) = ([binding("s"), to_strict], [identity(false), strict]);
    let mut pod = pod("a", Some("s"));
    let breaks = |pod: &Pod, count: usize| {
        let bound = BoundIdentities::of(
            pod,
            &bindings[..count],
            &identities,
            ServingRules::default(),
        );
        bound.breaches(pod).is_some()
    };
    assert!(!breaks(&pod, 2), "it keeps the rule");
    pod.breaches = [Breach::KeepsNetRaw("app".into())].into();
    assert!(breaks(&pod, 2));
    assert!(!breaks(&pod, 1), "nothing strict binds it");
}

#[test]
fn the_cluster_says_what_is_asked_of_the_pods_of_hand_written_identities() {
    let pod = Pod {
        breaches: [Breach::KeepsNetRaw("app".into())].into(),
        ..pod("a", Some("s"))
    };
    let breaks = |origin: Origin, of_profile: NetRaw, legacy_net_raw: NetRaw| {
        let rules = ServingRules {
            legacy_net_raw,
            ..ServingRules::default()
        };
        let identity = AzureIdentity {
            origin,
            net_raw: of_profile,
            ..identity(true)
        };
        let (bindings, identities) = ([binding("s")], [identity]);
        let bound = BoundIdentities::of(&pod, &bindings, &identities, rules);
        bound.breaches(&pod).is_some()
    };
    use NetRaw::{Audit, Enforce, Ignore};
    for (legacy, held) in [(Ignore, false), (Audit, false), (Enforce, true)] {
        assert_eq!(
            breaks(Origin::HandWritten, Ignore, legacy),
            held,
            "{legacy:?}"
        );
        assert!(
            !breaks(Origin::Profile, Audit, legacy),
            "a profile speaks for itself"
        );
        assert!(breaks(Origin::Profile, Enforce, legacy));
    }
}

#[test]
fn a_service_principal_that_says_that_it_is_a_profiles_was_written_by_hand() {
    let strict = ServingRules {
        legacy_net_raw: NetRaw::Enforce,
        ..ServingRules::default()
    };
    let lax = AzureIdentity {
        origin: Origin::Profile,
        net_raw: NetRaw::Ignore,
        ..identity(true)
    };
    assert_eq!(lax.asked_of_pods(strict), NetRaw::Ignore);
    let principal = AzureIdentity {
        kind: AzureIdentityType::ServicePrincipal(crate::testing::principal()),
        ..lax
    };
    assert_eq!(principal.asked_of_pods(strict), NetRaw::Enforce);
}
