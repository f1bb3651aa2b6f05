//! Properties of the decision over random pods and objects.

use super::*;
use crate::binding::Unserved;
use crate::testing::principal;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b")].prop_map(str::to_owned)
}

fn any_identity() -> impl Strategy<Value = AzureIdentity> {
    (
        name(),
        name(),
        name(),
        any::<bool>(),
        0..3i64,
        any::<bool>(),
    )
        .prop_map(
            |(namespace, name, id, namespaced, kind, of_profile)| AzureIdentity {
                namespace,
                client_id: format!("client-{id}"),
                resource_id: ArmId::new(format!("{RESOURCE}{id}")),
                kind: match kind {
                    0 => AzureIdentityType::Managed,
                    _ => AzureIdentityType::ServicePrincipal(principal()),
                },
                principal_id: of_profile.then(|| format!("object-{id}")),
                namespaced,
                name,
                origin: origin(of_profile),
                net_raw: match of_profile {
                    true => NetRaw::Enforce,
                    false => NetRaw::Ignore,
                },
                class: None,
            },
        )
}

fn legacy() -> impl Strategy<Value = LegacyIdentities> {
    use LegacyIdentities::{Any, None, WithinClass};
    prop_oneof![4 => Just(Any), 1 => Just(WithinClass), 1 => Just(None)]
}

fn origin(of_profile: bool) -> Origin {
    match of_profile {
        true => Origin::Profile,
        false => Origin::HandWritten,
    }
}

fn any_binding() -> impl Strategy<Value = Binding> {
    let account = proptest::option::of(name());
    (name(), name(), name(), name(), account, any::<bool>()).prop_map(
        |(namespace, name, identity, selector, account, of_profile)| Binding {
            namespace,
            name,
            identity,
            selector,
            service_accounts: account.into_iter().collect(),
            origin: origin(of_profile),
        },
    )
}

fn any_assignment() -> impl Strategy<Value = AssignedIdentity> {
    (name(), name(), name(), name(), any::<bool>()).prop_map(
        |(pod_uid, namespace, identity, id, done)| {
            let state = if done {
                AssignmentState::Assigned
            } else {
                AssignmentState::Created
            };
            let resource_id = ArmId::new(format!("{RESOURCE}{id}"));
            crate::testing::assigned(&pod_uid, (&namespace, &identity), resource_id, state)
        },
    )
}

prop_compose! {
    fn any_objects()(
        namespace in name(), uid in name(), account in name(),
        selector in proptest::option::of(name()),
        identities in prop::collection::vec(any_identity(), 0..5),
        bindings in prop::collection::vec(any_binding(), 0..6),
        assigned_identities in prop::collection::vec(any_assignment(), 0..6),
        wide in any::<bool>(), breaks in any::<bool>(), legacy in legacy(), strict in any::<bool>(),
        kind in prop::option::weighted(0.1, Just(Unserved::Static)),
    ) -> Objects {
        let breach = Breach::KeepsNetRaw("app".into());
        let breaches = breaks.then_some(breach).into_iter().collect();
        let mut caller = caller();
        caller.pod = Pod { namespace, name: "p".into(), uid, selector, service_account: account, breaches, unserved: kind };
        let scope = if wide { BindingScope::Cluster } else { BindingScope::Namespace };
        let legacy_net_raw = if strict { NetRaw::Enforce } else { NetRaw::Ignore };
        let rules = ServingRules { scope, legacy, legacy_net_raw };
        Objects {
            caller, bindings, identities, exceptions: vec![], assigned_identities, rules,
            principal_limits: vec![],
        }
    }
}

fn any_selector() -> impl Strategy<Value = Selector> {
    prop_oneof![
        Just(Selector::Only),
        name().prop_map(|id| Selector::ClientId(format!("client-{id}"))),
        name().prop_map(|id| Selector::ObjectId(format!("object-{id}"))),
        name().prop_map(|id| Selector::ResourceId(ArmId::new(format!("{RESOURCE}{id}")))),
    ]
}

proptest! {
    #[test]
    fn nothing_is_served_that_the_binding_rule_does_not_give(
        objects in any_objects(), selector in any_selector(),
    ) {
        if let Some(identity) = served_or_awaited(objects.resolve(&selector)) {
            let pod = &objects.caller.pod;
            let given = BoundIdentities::of(pod, &objects.bindings, &objects.identities, objects.rules);
            prop_assert!(given.uses.iter().any(|(one, _)| **one == identity));
            prop_assert_eq!(given.breaches(pod), None);
            prop_assert_eq!(pod.unserved, None);
            prop_assert!(selector.names(&identity));
            prop_assert_eq!(identity.kind, AzureIdentityType::Managed);
            let none = objects.rules.legacy == LegacyIdentities::None;
            prop_assert!(!none || identity.origin == Origin::Profile);
            let within_class = objects.rules.legacy == LegacyIdentities::WithinClass;
            prop_assert!(!within_class || identity.namespace == pod.namespace);
            let asked = match identity.origin {
                Origin::Profile => identity.net_raw,
                Origin::HandWritten => objects.rules.legacy_net_raw,
            };
            prop_assert!(asked != NetRaw::Enforce || pod.breaches.is_empty());
        }
    }

    #[test]
    fn a_served_identity_was_assigned_to_this_pod(objects in any_objects(), selector in any_selector()) {
        if let TokenDecision::Serve(TokenSource::NodeImds { identity }) = objects.resolve(&selector) {
            let made = objects.assigned_identities.iter().any(|a| {
                a.pod_uid == objects.caller.pod.uid
                    && a.identity == (identity.namespace.clone(), identity.name.clone())
                    && a.resource_id.as_ref() == Some(&identity.resource_id)
                    && a.state == AssignmentState::Assigned
            });
            prop_assert!(made);
        }
    }

    #[test]
    fn the_order_of_objects_does_not_matter(objects in any_objects(), selector in any_selector()) {
        let mut reversed = objects.clone();
        reversed.bindings.reverse();
        reversed.identities.reverse();
        reversed.assigned_identities.reverse();
        prop_assert_eq!(objects.resolve(&selector), reversed.resolve(&selector));
    }

    #[test]
    fn the_case_of_ids_does_not_matter(objects in any_objects(), selector in any_selector()) {
        let upper = match selector.clone() {
            Selector::ClientId(id) => Selector::ClientId(id.to_uppercase()),
            Selector::ObjectId(id) => Selector::ObjectId(id.to_uppercase()),
            Selector::ResourceId(id) => Selector::ResourceId(ArmId::new(id.as_str().to_uppercase())),
            other => other,
        };
        let word = |decision| match decision {
            TokenDecision::Refuse(refusal) => refusal.word().to_owned(),
            other => format!("{other:?}"),
        };
        prop_assert_eq!(word(objects.resolve(&selector)), word(objects.resolve(&upper)));
    }

    #[test]
    fn leaving_out_what_does_not_concern_the_pod_changes_nothing(
        objects in any_objects(), selector in any_selector(),
    ) {
        let mut small = objects.clone();
        let pod = &objects.caller.pod;
        small.bindings.retain(|b| pod.selector.as_ref() == Some(&b.selector));
        small.identities.retain(|i| {
            small.bindings.iter().any(|b| (&b.namespace, &b.identity) == (&i.namespace, &i.name))
        });
        small.assigned_identities.retain(|a| a.pod_uid == pod.uid);
        prop_assert_eq!(objects.resolve(&selector), small.resolve(&selector));
    }
}
