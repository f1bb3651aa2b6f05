//! What may happen to a profile.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::profile::tests::fixture::Trouble;

/// Names that the author may give the identity.
pub(super) const NAMES: [&str; 2] = ["cart", "shop"];
/// Where roles may be asked for.
pub(super) const SCOPES: [&str; 3] = [
    "/subscriptions/s/resourceGroups/a",
    "/subscriptions/s/resourceGroups/b",
    "/subscriptions/s/resourceGroups/c",
];

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// The author commits this, and makes the profile if it is not there.
    Commit(Spec),
    /// The author deletes the profile.
    Delete,
    /// Somebody changes Azure.
    ByHand(Deed),
    /// The class allows the role at these scopes only, and takes away what exceeds that, or does not.
    Narrow(Vec<&'static str>, bool),
    /// These become of the next writes.
    Troubles(Vec<Trouble>),
    /// The process ends at the call after so many, and another takes over.
    End(u32),
    /// The controller looks at the profile.
    Look,
}

/// What an author wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) scopes: Vec<&'static str>,
    pub(super) tag: u8,
    pub(super) observes: bool,
    pub(super) suspended: bool,
    pub(super) adopts: bool,
}

/// What somebody does in Azure.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// Gives another identity the role.
    AssignToOther(&'static str),
    /// Gives the profile's identity the role.
    AssignEqual(&'static str),
    /// Takes the role away from everybody.
    Revoke(&'static str),
    /// Deletes the identity.
    DeleteIdentity(&'static str),
    /// Deletes the identity, and makes another of the same name.
    MakeIdentityAnew(&'static str),
    /// Takes all tags off the identity.
    RemoveTags(&'static str),
}

impl Spec {
    /// As the author writes it, who keeps what podid made if the profile goes, or does not.
    pub(super) fn written(&self, retains: bool) -> Value {
        let access = self.scopes.iter();
        let access: Vec<Value> = access
            .map(|scope| json!({ "role": "Reader", "scope": scope }))
            .collect();
        json!({
            "className": "c",
            "identity": {
                "name": self.name,
                "tags": { "tag": self.tag.to_string() },
                "creationPolicy": if self.adopts { "CreateOrAdopt" } else { "Create" },
                "deletionPolicy": if retains { "Retain" } else { "Delete" },
            },
            "access": access,
            "drift": if self.observes { "Observe" } else { "Enforce" },
            "suspend": self.suspended,
        })
    }
}

pub(super) fn happening() -> impl Strategy<Value = Happening> {
    let trouble = select(vec![
        Trouble::None,
        Trouble::None,
        Trouble::Refused,
        Trouble::AnswerLost,
    ]);
    prop_oneof![
        5 => spec().prop_map(Happening::Commit),
        2 => Just(Happening::Delete),
        4 => deed().prop_map(Happening::ByHand),
        1 => (scopes(), any::<bool>()).prop_map(|(scopes, revokes)| Happening::Narrow(scopes, revokes)),
        3 => vec(trouble, 1..8).prop_map(Happening::Troubles),
        4 => (0..30u32).prop_map(Happening::End),
        2 => Just(Happening::Look),
    ]
}

fn scopes() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(SCOPES.to_vec(), 0..=SCOPES.len())
}

fn seldom() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.15)
}

fn spec() -> impl Strategy<Value = Spec> {
    let (name, tag) = (select(NAMES.to_vec()), 0..2u8);
    (name, scopes(), tag, seldom(), seldom(), any::<bool>()).prop_map(
        |(name, scopes, tag, observes, suspended, adopts)| Spec {
            name,
            scopes,
            tag,
            observes,
            suspended,
            adopts,
        },
    )
}

fn deed() -> impl Strategy<Value = Deed> {
    let (scope, name) = (|| select(SCOPES.to_vec()), || select(NAMES.to_vec()));
    prop_oneof![
        scope().prop_map(Deed::AssignToOther),
        scope().prop_map(Deed::AssignEqual),
        scope().prop_map(Deed::Revoke),
        name().prop_map(Deed::DeleteIdentity),
        name().prop_map(Deed::MakeIdentityAnew),
        name().prop_map(Deed::RemoveTags),
    ]
}
