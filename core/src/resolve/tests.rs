use proptest::prelude::*;

use super::*;
use crate::binding::Origin;
use crate::net_raw::NetRaw;

const RESOURCE: &str = "/subscriptions/s/resourceGroups/g/providers/\
    Microsoft.ManagedIdentity/userAssignedIdentities/";

/// A small world: pods, bindings and identities over few names, so that they meet.
#[derive(Clone, Debug)]
struct World {
    caller: CallingPod,
    bindings: Vec<Binding>,
    identities: Vec<AzureIdentity>,
    exceptions: Vec<Exception>,
    assignments: Vec<AssignedIdentity>,
    scope: BindingScope,
}

impl World {
    fn facts(&self) -> ResolveInput<'_> {
        ResolveInput {
            caller: &self.caller,
            bindings: &self.bindings,
            identities: &self.identities,
            exceptions: &self.exceptions,
            assignments: &self.assignments,
            scope: self.scope,
        }
    }

    fn resolve(&self, selector: &Selector) -> TokenDecision {
        resolve(&self.facts(), selector)
    }
}

fn caller() -> CallingPod {
    CallingPod {
        pod: Pod {
            namespace: "a".into(),
            name: "app".into(),
            uid: "uid-1".into(),
            selector: Some("s".into()),
            service_account: "default".into(),
            breaches: BTreeSet::new(),
        },
        labels: [("app".to_owned(), "x".to_owned())].into(),
        host_network: false,
        completed: false,
    }
}

fn identity(name: &str) -> AzureIdentity {
    AzureIdentity {
        namespace: "a".into(),
        name: name.into(),
        kind: AzureIdentityType::Managed,
        client_id: format!("client-{name}"),
        resource_id: ArmId::new(format!("{RESOURCE}{name}")),
        principal_id: Some(format!("object-{name}")),
        namespaced: true,
        origin: Origin::Profile,
        net_raw: NetRaw::Enforce,
    }
}

/// A token of the identity, from the node's metadata service.
fn serve(name: &str) -> TokenDecision {
    TokenDecision::Serve(TokenSource::NodeImds {
        identity: identity(name),
    })
}

fn served_or_awaited(decision: TokenDecision) -> Option<AzureIdentity> {
    match decision {
        TokenDecision::Serve(source) => Some(source.identity().clone()),
        TokenDecision::Wait(identity) => Some(identity),
        TokenDecision::PassThrough(..) | TokenDecision::Refuse(_) => None,
    }
}

fn binding(identity: &str) -> Binding {
    Binding {
        namespace: "a".into(),
        name: format!("to-{identity}"),
        identity: identity.into(),
        selector: "s".into(),
        service_accounts: BTreeSet::new(),
        origin: Origin::Profile,
    }
}

fn assigned(identity: &str) -> AssignedIdentity {
    crate::testing::assigned("uid-1", ("a", identity), AssignmentState::Assigned)
}

/// One pod bound to the named identities, all of them on the machine.
fn world(identities: &[&str]) -> World {
    World {
        caller: caller(),
        bindings: identities.iter().map(|name| binding(name)).collect(),
        identities: identities.iter().map(|name| identity(name)).collect(),
        exceptions: vec![],
        assignments: identities.iter().map(|name| assigned(name)).collect(),
        scope: BindingScope::Cluster,
    }
}

fn refusal(decision: TokenDecision) -> TokenRefusal {
    match decision {
        TokenDecision::Refuse(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn the_only_identity_is_served_without_a_selector() {
    assert_eq!(world(&["one"]).resolve(&Selector::Only), serve("one"));
}

#[test]
fn several_identities_need_a_selector_in_any_case() {
    let world = world(&["one", "two"]);
    assert_eq!(
        refusal(world.resolve(&Selector::Only)),
        TokenRefusal::Ambiguous(vec!["a/one".into(), "a/two".into()])
    );
    let resource = ArmId::new(format!("{RESOURCE}TWO").to_uppercase());
    for selector in [
        Selector::ClientId("CLIENT-TWO".into()),
        Selector::ObjectId("OBJECT-TWO".into()),
        Selector::ResourceId(resource),
    ] {
        assert_eq!(world.resolve(&selector), serve("two"), "{selector:?}");
    }
}

#[test]
fn a_foreign_id_is_refused_at_once_as_imds_does() {
    let refusal = refusal(world(&["one"]).resolve(&Selector::ClientId("client-two".into())));
    assert_eq!(refusal.word(), "NotItsIdentity");
    assert_eq!(refusal.description(), "Identity not found");
}

#[test]
fn only_what_the_operator_has_assigned_to_this_very_pod_is_served() {
    let mut world = world(&["one"]);
    world.assignments[0].pod_uid = "an earlier pod of that name".into();
    assert_eq!(
        world.resolve(&Selector::Only),
        TokenDecision::Wait(identity("one"))
    );
    world.assignments[0] = AssignedIdentity {
        state: AssignmentState::Created,
        ..assigned("one")
    };
    assert_eq!(
        world.resolve(&Selector::Only),
        TokenDecision::Wait(identity("one"))
    );
}

#[test]
fn an_assignment_of_the_identity_before_an_edit_opens_no_other() {
    let mut world = world(&["one"]);
    let own = identity("one").resource_id;
    world.assignments[0].resource_id = Some(ArmId::new(own.as_str().to_uppercase()));
    let served = serve("one");
    assert_eq!(world.resolve(&Selector::Only), served);
    world.assignments[0].resource_id = Some(ArmId::new(format!("{RESOURCE}before")));
    let waits = TokenDecision::Wait(identity("one"));
    assert_eq!(world.resolve(&Selector::Only), waits);
}

#[test]
fn a_failed_assignment_is_refused_at_once_with_its_cause() {
    let mut world = world(&["one"]);
    let failure = AssignmentFailure {
        reason: "LinkedAuthorizationFailed".into(),
        message: "grant the right".into(),
    };
    world.assignments[0].state = AssignmentState::Failed(failure);
    let refused = refusal(world.resolve(&Selector::Only));
    assert_eq!(refused.word(), "AssignmentFailed");
    assert_eq!(refused.description(), "Identity not found");
    assert!(refused.to_string().contains("grant the right"), "{refused}");
    // Its successor is being written.
    world.assignments.push(AssignedIdentity {
        state: AssignmentState::Created,
        ..assigned("one")
    });
    let decision = world.resolve(&Selector::Only);
    assert_eq!(decision, TokenDecision::Wait(identity("one")));
}

#[test]
fn what_can_never_be_served_is_refused_with_its_reason() {
    type Change = fn(&mut World);
    let table: [(Change, Selector, &str); 11] = [
        (
            |w| w.caller.host_network = true,
            Selector::Only,
            "HostNetwork",
        ),
        (|w| w.caller.completed = true, Selector::Only, "Completed"),
        (|w| w.caller.pod.selector = None, Selector::Only, "NotBound"),
        (|w| w.bindings.clear(), Selector::Only, "NotBound"),
        (
            |w| w.identities[0].principal_id = None,
            Selector::ObjectId("object-one".into()),
            "UnknownObjectId",
        ),
        (|_| (), Selector::ObjectId("o".into()), "NotItsIdentity"),
        (|w| w.identities.clear(), Selector::Only, "MissingIdentity"),
        (
            |w| w.caller.pod.breaches = [Breach::HostPid].into(),
            Selector::Only,
            "BreaksNetRawRule",
        ),
        (
            |w| w.identities[0].client_id.clear(),
            Selector::Only,
            "NoClientId",
        ),
        (
            |w| w.identities[0].resource_id = ArmId::new("/subscriptions/s/no-identity"),
            Selector::Only,
            "MalformedResourceId",
        ),
        (
            |w| w.identities[0].kind = AzureIdentityType::ServicePrincipalSecret,
            Selector::Only,
            "ServicePrincipal",
        ),
    ];
    for (change, selector, word) in table {
        let mut world = world(&["one"]);
        change(&mut world);
        assert_eq!(refusal(world.resolve(&selector)).word(), word);
    }
}

#[test]
fn an_exception_needs_all_its_labels_and_the_pods_namespace() {
    let labels = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    let exception = |namespace: &str, pairs: &[(&str, &str)]| Exception {
        namespace: namespace.into(),
        name: "e".into(),
        labels: labels(pairs),
    };
    let table = [
        (exception("a", &[("app", "x")]), true),
        (exception("b", &[("app", "x")]), false),
        (exception("a", &[("app", "X")]), false),
        (exception("a", &[("app", "x"), ("tier", "y")]), false),
        (exception("a", &[]), false),
    ];
    for (exception, excepted) in table {
        let mut world = world(&["one"]);
        world.exceptions = vec![exception.clone()];
        let passed =
            world.resolve(&Selector::Only) == TokenDecision::PassThrough("a".into(), "e".into());
        assert_eq!(passed, excepted, "{exception:?}");
    }
}

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
                kind: AzureIdentityType::from_type(kind).expect("a type"),
                principal_id: of_profile.then(|| format!("object-{id}")),
                namespaced,
                name,
                origin: origin(of_profile),
                net_raw: match of_profile {
                    true => NetRaw::Enforce,
                    false => NetRaw::Ignore,
                },
            },
        )
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
    (name(), name(), name(), any::<bool>()).prop_map(|(pod_uid, namespace, identity, done)| {
        let state = if done {
            AssignmentState::Assigned
        } else {
            AssignmentState::Created
        };
        crate::testing::assigned(&pod_uid, (&namespace, &identity), state)
    })
}

prop_compose! {
    fn any_world()(
        namespace in name(), uid in name(), account in name(),
        selector in proptest::option::of(name()),
        identities in prop::collection::vec(any_identity(), 0..5),
        bindings in prop::collection::vec(any_binding(), 0..6),
        assignments in prop::collection::vec(any_assignment(), 0..6),
        wide in any::<bool>(), breaks in any::<bool>(),
    ) -> World {
        let breach = Breach::KeepsNetRaw("app".into());
        let breaches = breaks.then_some(breach).into_iter().collect();
        let mut caller = caller();
        caller.pod = Pod { namespace, name: "p".into(), uid, selector, service_account: account, breaches };
        let scope = if wide { BindingScope::Cluster } else { BindingScope::Namespace };
        World { caller, bindings, identities, exceptions: vec![], assignments, scope }
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
        world in any_world(), selector in any_selector(),
    ) {
        if let Some(identity) = served_or_awaited(world.resolve(&selector)) {
            let pod = &world.caller.pod;
            let given = BoundIdentities::of(pod, &world.bindings, &world.identities, world.scope);
            prop_assert!(given.uses.iter().any(|(one, _)| **one == identity));
            prop_assert_eq!(given.breaches(pod), None);
            prop_assert!(selector.names(&identity));
            prop_assert_eq!(identity.kind, AzureIdentityType::Managed);
        }
    }

    #[test]
    fn a_served_identity_was_assigned_to_this_pod(world in any_world(), selector in any_selector()) {
        if let TokenDecision::Serve(TokenSource::NodeImds { identity }) = world.resolve(&selector) {
            let made = world.assignments.iter().any(|a| {
                a.pod_uid == world.caller.pod.uid
                    && a.identity == (identity.namespace.clone(), identity.name.clone())
                    && a.state == AssignmentState::Assigned
            });
            prop_assert!(made);
        }
    }

    #[test]
    fn the_order_of_objects_does_not_matter(world in any_world(), selector in any_selector()) {
        let mut reversed = world.clone();
        reversed.bindings.reverse();
        reversed.identities.reverse();
        reversed.assignments.reverse();
        prop_assert_eq!(world.resolve(&selector), reversed.resolve(&selector));
    }

    #[test]
    fn the_case_of_ids_does_not_matter(world in any_world(), selector in any_selector()) {
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
        prop_assert_eq!(word(world.resolve(&selector)), word(world.resolve(&upper)));
    }

    #[test]
    fn leaving_out_what_does_not_concern_the_pod_changes_nothing(
        world in any_world(), selector in any_selector(),
    ) {
        let mut small = world.clone();
        let pod = &world.caller.pod;
        small.bindings.retain(|b| pod.selector.as_ref() == Some(&b.selector));
        small.identities.retain(|i| {
            small.bindings.iter().any(|b| (&b.namespace, &b.identity) == (&i.namespace, &i.name))
        });
        small.assignments.retain(|a| a.pod_uid == pod.uid);
        prop_assert_eq!(world.resolve(&selector), small.resolve(&selector));
    }
}
