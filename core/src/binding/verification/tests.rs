use super::*;
use crate::backend::Backend;
use crate::binding::{AzureIdentityType, LegacyIdentities};
use crate::class::{Cloud, Limits};
use crate::net_raw::{Breach, NetRaw};
use crate::testing::target_error;

const ANY: HandWrittenLimits<'static> = HandWrittenLimits::ANY;

fn identity(origin: Origin) -> AzureIdentity {
    AzureIdentity {
        namespace: "team".into(),
        name: "web".into(),
        kind: AzureIdentityType::Managed,
        client_id: "C1".into(),
        resource_id: ArmId::new("/id/web"),
        principal_id: None,
        namespaced: false,
        origin,
        net_raw: NetRaw::Ignore,
        class: None,
    }
}

fn owner(namespace: &str, profile: &str) -> Owner {
    Owner {
        cluster: "prod".into(),
        namespace: namespace.into(),
        profile: profile.into(),
        uid: "u1".into(),
    }
}

fn class(allow_hand_written: bool) -> Class {
    Class {
        name: "standard".into(),
        cloud: Cloud::AzurePublicCloud,
        cluster_name: "prod".into(),
        tenant_id: "t".into(),
        subscription_id: "s".into(),
        resource_group: "g".into(),
        location: "l".into(),
        node_resource_group: "n".into(),
        default_backend: Backend::NodeAssigned,
        node_grants: None,
        scopes: Vec::new(),
        neighbours: None,
        limits: Limits {
            allow_hand_written,
            ..Limits::default()
        },
    }
}

fn found(client_id: &str, owner: Option<TaggedOwner>) -> IdentityLookup {
    IdentityLookup::Found {
        client_id: client_id.into(),
        owner,
    }
}

fn reason(verify: &Verification) -> &str {
    match verify {
        Verification::Verified => "served",
        Verification::Pending(None) => "unchecked",
        Verification::Pending(Some(failure)) | Verification::Refused(failure) => &failure.reason,
    }
}

#[test]
fn an_identity_is_served_by_hand_when_it_is_nobodys_or_the_class_allows_it() {
    use Origin::{HandWritten, Profile};
    let of = |namespace: &str, profile: &str, uid: Option<&str>, class: Option<&Class>| {
        let owner = owner(namespace, profile);
        Some(TaggedOwner::of(owner, uid.map(|uid| (uid, class))))
    };
    let (shut, open) = (class(false), class(true));
    let another_cluster = Class {
        cluster_name: "test".into(),
        ..class(true)
    };
    let table = [
        ("nobody's", HandWritten, None, "served"),
        (
            "another namespace's",
            HandWritten,
            of("shop", "cart", Some("u1"), Some(&shut)),
            "OwnedByProfile",
        ),
        (
            "its own namespace's",
            HandWritten,
            of("team", "web", Some("u1"), Some(&shut)),
            "OwnedByProfile",
        ),
        (
            "of a class that allows it",
            HandWritten,
            of("shop", "cart", Some("u1"), Some(&open)),
            "served",
        ),
        (
            "of a profile that was made anew",
            HandWritten,
            of("shop", "cart", Some("u2"), Some(&open)),
            "OwnedByProfile",
        ),
        (
            "of another cluster",
            HandWritten,
            of("shop", "cart", Some("u1"), Some(&another_cluster)),
            "OwnedByProfile",
        ),
        (
            "of a profile that is gone",
            HandWritten,
            of("shop", "cart", None, None),
            "OwnedByProfile",
        ),
        (
            "of a profile without its class",
            HandWritten,
            of("shop", "cart", Some("u1"), None),
            "OwnedByProfile",
        ),
        (
            "the child's own profile's",
            Profile,
            of("team", "web", Some("u1"), Some(&shut)),
            "served",
        ),
        (
            "not of the profile that is claimed",
            Profile,
            of("shop", "cart", Some("u1"), Some(&shut)),
            "OwnedByProfile",
        ),
    ];
    for (what, origin, owner, expected) in table {
        let known = found("c1", owner);
        let verify = verify(&identity(origin), None, Some(&known), ANY);
        assert_eq!(reason(&verify), expected, "{what}");
    }
}

#[test]
fn a_profiles_record_alone_is_enough_and_a_claim_alone_is_not() {
    let (own, other) = (ArmId::new("/ID/web"), ArmId::new("/id/other"));
    let claims = identity(Origin::Profile);
    assert_eq!(
        verify(&claims, Some(&own), None, ANY),
        Verification::Verified
    );
    let unchecked = Verification::Pending(None);
    assert_eq!(verify(&claims, Some(&other), None, ANY), unchecked);
    assert_eq!(verify(&claims, None, None, ANY), unchecked);
    assert_eq!(
        verify(&claims, None, Some(&IdentityLookup::Absent), ANY),
        unchecked,
        "its profile has just made it"
    );
    let by_hand = identity(Origin::HandWritten);
    assert_eq!(verify(&by_hand, Some(&own), None, ANY), unchecked);
}

#[test]
fn what_azure_says_decides() {
    let trouble = AssignmentFailure {
        reason: "Throttled".into(),
        message: "wait".into(),
    };
    let table = [
        (found("c1", None), "served"),
        (found("C1", None), "served"),
        (found("c2", None), "ClientIdMismatch"),
        (IdentityLookup::Absent, "IdentityNotFound"),
        (
            IdentityLookup::Unreadable("403".into()),
            "IdentityNotReadable",
        ),
        (IdentityLookup::NotYet(trouble), "Throttled"),
    ];
    for (known, expected) in table {
        let verify = verify(&identity(Origin::HandWritten), None, Some(&known), ANY);
        assert_eq!(reason(&verify), expected, "{known:?}");
        let lasting = matches!(verify, Verification::Refused(_));
        assert_eq!(lasting, !matches!(expected, "served" | "Throttled"));
    }
}

#[test]
fn a_refusal_begins_with_the_object_and_says_what_to_do() {
    let by_hand = identity(Origin::HandWritten);
    let message = |known: &IdentityLookup| match verify(&by_hand, None, Some(known), ANY) {
        Verification::Refused(failure) => failure.message,
        other => panic!("{other:?}"),
    };
    let wrong = message(&found("c2", None));
    let start = "AzureIdentity team/web has clientID \"C1\", and ";
    assert!(wrong.starts_with(start), "{wrong}");
    let end = " has c2; correct spec.clientID or spec.resourceID";
    assert!(wrong.ends_with(end), "{wrong}");
    let shut = class(false);
    let tagged = TaggedOwner::of(owner("shop", "cart"), Some(("u1", Some(&shut))));
    let owned = message(&found("c1", Some(tagged)));
    assert!(
        owned.starts_with("AzureIdentity team/web was written by hand and names "),
        "{owned}"
    );
    assert!(
        owned.contains("; have the pods bound by PodIdentityProfile shop/cart"),
        "{owned}"
    );
    assert!(owned.contains("limits.allowHandWritten"), "{owned}");
}

#[test]
fn only_an_error_that_lasts_is_a_refusal() {
    use TargetErrorClass::{
        Conflict, Forbidden, Invalid, NotFound, PreconditionFailed, Propagating, Throttled,
        Transient, Unauthenticated, Unexpected,
    };
    let failed = |class| {
        let error = TargetError {
            next_step: "grant it".into(),
            message: "GET was refused".into(),
            ..target_error(class, Some("Code"))
        };
        IdentityLookup::<TaggedOwner>::failed(&error, &ArmId::new("/id/web"))
    };
    for class in [Forbidden, NotFound, Invalid] {
        let expected = IdentityLookup::Unreadable("GET was refused".into());
        assert_eq!(failed(class), expected, "{class:?}");
    }
    let passing = [Throttled, Transient, Propagating, Conflict];
    let unclear = [PreconditionFailed, Unauthenticated, Unexpected];
    for class in passing.into_iter().chain(unclear) {
        let IdentityLookup::NotYet(failure) = failed(class) else {
            panic!("{class:?}");
        };
        assert_eq!(failure.reason, "Code");
        assert_eq!(
            failure.message,
            "identity /id/web cannot be read: grant it. GET was refused"
        );
    }
}

#[test]
fn a_refusal_is_known_by_its_reason_and_not_taken_for_azures() {
    let by_hand = identity(Origin::HandWritten);
    let foreign = TaggedOwner::of(owner("shop", "cart"), None);
    for known in [
        found("c2", None),
        found("c1", Some(foreign)),
        IdentityLookup::Absent,
        IdentityLookup::Unreadable("403".into()),
    ] {
        let Verification::Refused(failure) = verify(&by_hand, None, Some(&known), ANY) else {
            panic!("{known:?}");
        };
        assert!(Verification::refuses_with(&failure), "{failure:?}");
    }
    let of_azure = AssignmentFailure {
        reason: "LinkedAuthorizationFailed".into(),
        message: "grant the right".into(),
    };
    assert!(!Verification::refuses_with(&of_azure));
}

#[test]
fn nobody_is_sent_to_a_profile_that_does_not_exist() {
    let gone = TaggedOwner::of(owner("shop", "cart"), None);
    assert!(!gone.lives_here && !gone.shared);
    let known = found("c1", Some(gone));
    let refused = verify(&identity(Origin::HandWritten), None, Some(&known), ANY);
    let Verification::Refused(failure) = refused else {
        panic!("{refused:?}");
    };
    let said = failure.message;
    assert!(said.contains("; use another identity"), "{said}");
}

#[test]
fn an_owner_reference_does_not_get_an_object_past_the_limits() {
    let none = HandWrittenLimits {
        served: LegacyIdentities::None,
        ..ANY
    };
    let (claims, by_hand) = (identity(Origin::Profile), identity(Origin::HandWritten));
    let verify = |identity, known: Option<&IdentityLookup>| verify(identity, None, known, none);
    let refused = "LegacyIdentitiesNotServed";
    let untagged = found("C1", None);
    assert_eq!(reason(&verify(&by_hand, None)), refused, "without a lookup");
    assert_eq!(reason(&verify(&claims, None)), "unchecked");
    assert_eq!(reason(&verify(&claims, Some(&untagged))), refused);
    let own = TaggedOwner {
        owner: owner("team", "web"),
        lives_here: true,
        shared: false,
    };
    let tagged = found("C1", Some(own));
    assert_eq!(reason(&verify(&claims, Some(&tagged))), "served");
    let Verification::Refused(failure) = verify(&by_hand, None) else {
        panic!("served");
    };
    assert!(Verification::refuses_with(&failure));
}

/// The daemon takes it for a profile's, and serves it by what the operator has assigned.
#[test]
fn an_owner_reference_does_not_get_an_object_past_the_rule_about_net_raw() {
    let breaches = [Breach::KeepsNetRaw("app".into())].into();
    let strict = HandWrittenLimits {
        net_raw: NetRaw::Enforce,
        breaches: &breaches,
        ..ANY
    };
    let claims = AzureIdentity {
        net_raw: NetRaw::Ignore,
        ..identity(Origin::Profile)
    };
    let untagged = found("C1", None);
    let of = |recorded: Option<&ArmId>| verify(&claims, recorded, Some(&untagged), strict);
    assert_eq!(reason(&of(None)), "BreaksNetRawRule");
    assert_eq!(reason(&of(Some(&claims.resource_id))), "served");
    let Verification::Refused(failure) = of(None) else {
        panic!("served");
    };
    assert!(Verification::refuses_with(&failure));
}
