//! The decision about a token request, rule by rule.

mod properties;

use proptest::prelude::*;

use super::*;
use crate::arm::ArmId;
use crate::assigned_identity::AssignmentFailure;
use crate::binding::{BindingScope, LegacyIdentities, Unserved};
use crate::net_raw::Breach;
use crate::net_raw::NetRaw;
use crate::owner::Origin;
use crate::service_principal::{Authority, PUBLIC_AUTHORITY};
use crate::testing::principal;

const RESOURCE: &str = "/subscriptions/s/resourceGroups/g/providers/\
    Microsoft.ManagedIdentity/userAssignedIdentities/";

/// A small set of objects: pods, bindings and identities over few names, so that they meet.
#[derive(Clone, Debug)]
struct Objects {
    caller: CallingPod,
    bindings: Vec<Binding>,
    identities: Vec<AzureIdentity>,
    exceptions: Vec<Exception>,
    assigned_identities: Vec<AssignedIdentity>,
    rules: ServingRules,
    principal_limits: Vec<PrincipalLimit>,
}

impl Objects {
    fn facts(&self) -> ResolveInput<'_> {
        ResolveInput {
            caller: &self.caller,
            bindings: &self.bindings,
            identities: &self.identities,
            exceptions: &self.exceptions,
            assigned_identities: &self.assigned_identities,
            rules: self.rules,
            principal_limits: &self.principal_limits,
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
            unserved: None,
        },
        labels: [("app".to_owned(), "x".to_owned())].into(),
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
        class: None,
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
    let resource_id = ArmId::new(format!("{RESOURCE}{identity}"));
    let state = AssignmentState::Assigned;
    crate::testing::assigned("uid-1", ("a", identity), resource_id, state)
}

/// One pod bound to the named identities, all of them on the target.
fn objects(identities: &[&str]) -> Objects {
    Objects {
        caller: caller(),
        bindings: identities.iter().map(|name| binding(name)).collect(),
        identities: identities.iter().map(|name| identity(name)).collect(),
        exceptions: vec![],
        assigned_identities: identities.iter().map(|name| assigned(name)).collect(),
        rules: ServingRules::default(),
        principal_limits: vec![],
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
    assert_eq!(objects(&["one"]).resolve(&Selector::Only), serve("one"));
}

#[test]
fn several_identities_need_a_selector_in_any_case() {
    let objects = objects(&["one", "two"]);
    assert_eq!(
        refusal(objects.resolve(&Selector::Only)),
        TokenRefusal::Ambiguous(vec!["a/one".into(), "a/two".into()])
    );
    let resource = ArmId::new(format!("{RESOURCE}TWO").to_uppercase());
    for selector in [
        Selector::ClientId("CLIENT-TWO".into()),
        Selector::ObjectId("OBJECT-TWO".into()),
        Selector::ResourceId(resource),
    ] {
        assert_eq!(objects.resolve(&selector), serve("two"), "{selector:?}");
    }
}

#[test]
fn a_foreign_id_is_refused_at_once_as_imds_does() {
    let refusal = refusal(objects(&["one"]).resolve(&Selector::ClientId("client-two".into())));
    assert_eq!(refusal.word(), "NotItsIdentity");
    assert_eq!(refusal.description(), "Identity not found");
}

#[test]
fn only_what_the_operator_has_assigned_to_this_very_pod_is_served() {
    let mut objects = objects(&["one"]);
    objects.assigned_identities[0].pod_uid = "an earlier pod of that name".into();
    assert_eq!(
        objects.resolve(&Selector::Only),
        TokenDecision::Wait(identity("one"))
    );
    objects.assigned_identities[0] = AssignedIdentity {
        state: AssignmentState::Created,
        ..assigned("one")
    };
    assert_eq!(
        objects.resolve(&Selector::Only),
        TokenDecision::Wait(identity("one"))
    );
}

#[test]
fn an_assignment_of_the_identity_before_an_edit_opens_no_other() {
    let mut objects = objects(&["one"]);
    let own = identity("one").resource_id;
    objects.assigned_identities[0].resource_id = Some(ArmId::new(own.as_str().to_uppercase()));
    let served = serve("one");
    assert_eq!(objects.resolve(&Selector::Only), served);
    objects.assigned_identities[0].resource_id = Some(ArmId::new(format!("{RESOURCE}before")));
    let waits = TokenDecision::Wait(identity("one"));
    assert_eq!(objects.resolve(&Selector::Only), waits);
}

#[test]
fn an_assignment_that_names_no_managed_identity_decides_nothing() {
    let mut objects = objects(&["one"]);
    let failed = AssignmentState::Failed(AssignmentFailure {
        reason: "R".into(),
        message: "m".into(),
    });
    for state in [AssignmentState::Assigned, failed] {
        objects.assigned_identities[0].resource_id = None;
        objects.assigned_identities[0].state = state;
        let decision = objects.resolve(&Selector::Only);
        assert_eq!(decision, TokenDecision::Wait(identity("one")));
    }
}

#[test]
fn a_failed_assignment_is_refused_at_once_with_its_cause() {
    let mut objects = objects(&["one"]);
    let failure = AssignmentFailure {
        reason: "LinkedAuthorizationFailed".into(),
        message: "grant the right".into(),
    };
    objects.assigned_identities[0].state = AssignmentState::Failed(failure);
    let refused = refusal(objects.resolve(&Selector::Only));
    assert_eq!(refused.word(), "AssignmentFailed");
    assert_eq!(refused.description(), "Identity not found");
    assert!(refused.to_string().contains("grant the right"), "{refused}");
    // Its successor is being written.
    objects.assigned_identities.push(AssignedIdentity {
        state: AssignmentState::Created,
        ..assigned("one")
    });
    let decision = objects.resolve(&Selector::Only);
    assert_eq!(decision, TokenDecision::Wait(identity("one")));
}

#[test]
fn what_can_never_be_served_is_refused_with_its_reason() {
    type Change = fn(&mut Objects);
    let table: [(Change, Selector, &str); 15] = [
        (
            |w| w.caller.pod.unserved = Some(Unserved::HostNetwork),
            Selector::Only,
            "HostNamespaceUsed",
        ),
        (
            |w| w.caller.pod.unserved = Some(Unserved::Static),
            Selector::Only,
            "StaticPod",
        ),
        (
            |w| w.caller.pod.unserved = Some(Unserved::Windows),
            Selector::Only,
            "WindowsPod",
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
        (|w| w.identities.clear(), Selector::Only, "IdentityMissing"),
        (
            |w| w.bindings[0].service_accounts = ["other".to_owned()].into(),
            Selector::ClientId("client-one".into()),
            "ServiceAccountNotBound",
        ),
        (
            |w| w.caller.pod.breaches = [Breach::KeepsNetRaw("app".into())].into(),
            Selector::Only,
            "BreaksNetRawRule",
        ),
        (
            |w| w.caller.pod.breaches = [Breach::HostPid].into(),
            Selector::Only,
            "HostNamespaceUsed",
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
            |w| w.identities[0].kind = AzureIdentityType::ServicePrincipal(principal()),
            Selector::Only,
            "PrincipalNotAllowed",
        ),
    ];
    for (change, selector, word) in table {
        let mut objects = objects(&["one"]);
        change(&mut objects);
        assert_eq!(refusal(objects.resolve(&selector)).word(), word);
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
        let mut objects = objects(&["one"]);
        objects.exceptions = vec![exception.clone()];
        let passed =
            objects.resolve(&Selector::Only) == TokenDecision::PassThrough("a".into(), "e".into());
        assert_eq!(passed, excepted, "{exception:?}");
    }
}

#[test]
fn where_none_is_served_a_hand_written_object_gives_nothing_although_it_is_assigned() {
    let mut objects = objects(&["one"]);
    objects.rules.legacy = LegacyIdentities::None;
    assert_eq!(objects.resolve(&Selector::Only), serve("one"));
    objects.identities[0].origin = Origin::HandWritten;
    let refused = refusal(objects.resolve(&Selector::Only));
    assert_eq!(refused, TokenRefusal::HandWritten("a/one".into()));
    assert_eq!(refused.description(), "Identity not found");
    objects.rules.legacy = LegacyIdentities::WithinClass;
    let served = objects.resolve(&Selector::Only);
    assert!(
        matches!(served, TokenDecision::Serve(_)),
        "the operator has assigned it: {served:?}"
    );
}

#[test]
fn a_service_principal_is_served_from_entra_where_a_class_allows_it_and_nothing_is_waited_for() {
    let mut objects = objects(&["one"]);
    objects.assigned_identities.clear();
    objects.identities[0].kind = AzureIdentityType::ServicePrincipal(principal());
    objects.principal_limits = vec![PrincipalLimit {
        namespaces: ["a".to_owned()].into(),
        authorities: Authority::parse(PUBLIC_AUTHORITY).into_iter().collect(),
    }];
    let decision = objects.resolve(&Selector::Only);
    let TokenDecision::Serve(TokenSource::Entra { principal, .. }) = &decision else {
        panic!("{decision:?}");
    };
    assert_eq!(principal.secret, "sp");
    objects.principal_limits[0].namespaces = ["b".to_owned()].into();
    assert_eq!(
        refusal(objects.resolve(&Selector::Only)).word(),
        "PrincipalNotAllowed"
    );
}
