//! Classes and profiles in the spellings that people and attackers think of, the same ones in every run.

use podid_core::role::Role;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::class;

const SUBSCRIPTION: &str = "0a1b2c3d-1111-2222-3333-0123456789ab";

/// As many values of a strategy, the same ones in every run.
pub(super) fn table<T: std::fmt::Debug>(
    strategy: &impl Strategy<Value = T>,
    count: usize,
) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    let mut next = || strategy.new_tree(&mut runner).unwrap().current();
    (0..count).map(|_| next()).collect()
}

fn maybe(
    weight: u32,
    value: impl Strategy<Value = Value> + 'static,
) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![10 - weight => Just(None), weight => value.prop_map(Some)]
}

/// An object with those of the fields that have a value.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let present = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}

/// A list of different values.
fn distinct(mut values: Vec<Value>) -> Vec<Value> {
    let mut seen = Vec::new();
    values.retain(|value| !seen.contains(value) && (seen.push(value.clone()), true).1);
    values
}

fn letters(text: &str, case: usize) -> String {
    match case {
        0 => text.to_ascii_lowercase(),
        1 => text.to_ascii_uppercase(),
        _ => text.to_owned(),
    }
}

/// A role by name, by GUID in each of its spellings, or by something that is neither.
fn role() -> impl Strategy<Value = String> {
    let known = select(vec![
        "Reader",
        "Reader",
        "Key Vault Secrets User",
        "AcrPull",
        "Owner",
        "User Access Administrator",
        "Role Based Access Control Administrator",
    ]);
    let spelling = (known, 0..9_usize, 0..6_usize).prop_map(|(name, form, case)| {
        let guid = Role::parse(name).id().expect("a built-in role");
        let form = match form {
            0 => guid.hyphenated().to_string(),
            1 => guid.simple().to_string(),
            2 => guid.braced().to_string(),
            3 => guid.urn().to_string(),
            4 => {
                format!("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{guid}")
            }
            _ => name.to_owned(),
        };
        letters(&form, case)
    });
    let other = select(vec![
        "Payments Auditor",
        "11111111-2222-4333-8444-555555555555",
        "11111111222243338444555555555555",
        "111111112222433384445555555555555",
        "{acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "{acdd72a7338548efbd42f606fba81ae7}",
        "acdd72a7-338548ef-bd42-f606fba81ae7",
        "roles/Reader",
        "Rea\u{17f}er",
        "/",
    ])
    .prop_map(ToOwned::to_owned);
    let around = select(vec![
        "", "", "", "", "", "", " ", "/", "//", "\u{a0}", "\t", "/ ",
    ]);
    let before = select(vec!["", "", "", "", "", "", "", " ", "x/"]);
    (prop_oneof![5 => spelling, 1 => other], before, around)
        .prop_map(|(role, before, after)| format!("{before}{role}{after}"))
}

/// A scope, most of them plain.
fn scope() -> impl Strategy<Value = String> {
    let base = select(vec![
        "/subscriptions/s",
        "/subscriptions/s/resourceGroups/apps",
        "/subscriptions/s/resourceGroups/apps",
        "/subscriptions/s/resourceGroups/apps2",
        "/subscriptions/s/resourceGroups/apps/providers/Microsoft.KeyVault/vaults/v",
        "/subscriptions/t/resourceGroups/apps",
        "/subscriptions/",
        "/subscriptions//",
    ]);
    let after = select(vec![
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "/",
        "//",
        "/x",
        "//x",
        "/.",
        "/..",
        "/../apps2",
        "/.../x",
        "/%2e%2e/x",
        "?x",
        "#",
        "\\x",
        " ",
        "\t",
        "\u{a0}",
        "\u{85}",
        "\u{2028}",
        "/a b",
        "/a\u{7f}b",
        "/\u{200b}",
        "\n",
        "/x\n",
        "/ s",
        "/K\u{212a}",
        "/subscriptions/u",
        "/.x",
        "/x.",
    ]);
    (base, after, 0..8_usize)
        .prop_map(|(base, after, case)| letters(&format!("{base}{after}"), case))
}

/// A name for a scope, as profiles and classes write it.
fn name() -> impl Strategy<Value = String> {
    select(vec!["vault", "logs", "images", "a", "b", "c", "d"]).prop_map(ToOwned::to_owned)
}

fn access() -> impl Strategy<Value = Value> {
    let scope = prop_oneof![3 => scope(), 1 => name()];
    (role(), scope).prop_map(|(role, scope)| json!({"role": role, "scope": scope}))
}

fn identity_id() -> impl Strategy<Value = String> {
    let own = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/identities");
    let group = select(vec![
        own.clone(),
        own,
        "/subscriptions/s/resourceGroups/legacy".to_owned(),
        "/subscriptions/s/resourceGroups/legacy2".to_owned(),
        "/subscriptions/s/resourceGroups/..".to_owned(),
        "/subscriptions/s/resourceGroups/a b".to_owned(),
        "/\u{17f}ubscriptions/s/resourceGroups/legacy".to_owned(),
    ]);
    let name = select(vec![
        "i", "i", "i", "i ", "..", "a%2f", "a?b", "a\\b", "\u{a0}",
    ]);
    (group, name, 0..6_usize).prop_map(|(group, name, case)| {
        let id =
            format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}");
        letters(&id, case)
    })
}

fn identity() -> impl Strategy<Value = Value> {
    let tag = select(vec!["team", "Podid-uid", "PODID-", "podid", "xpodid-"]);
    let tags = proptest::collection::vec(tag, 0..3).prop_map(|keys| {
        keys.iter()
            .map(|key| ((*key).to_owned(), json!("x")))
            .collect()
    });
    let by_name = maybe(5, Just(json!("checkout")));
    let tagged = maybe(5, tags.prop_map(Value::Object)).boxed();
    prop_oneof![
        (by_name, tagged.clone()).prop_map(|(name, tags)| object([("name", name), ("tags", tags)])),
        (identity_id(), tagged)
            .prop_map(|(id, tags)| object([("resourceId", Some(json!(id))), ("tags", tags)])),
    ]
}

fn list(
    value: impl Strategy<Value = Value>,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Value> {
    proptest::collection::vec(value, count).prop_map(|values| json!(distinct(values)))
}

/// The `spec` of a profile, without its class.
pub(super) fn profile() -> impl Strategy<Value = Value> {
    let backend = maybe(3, Just(json!("NodeAssigned")));
    let net_raw = maybe(
        2,
        select(vec!["Enforce", "Audit", "Ignore"]).prop_map(|mode| json!(mode)),
    );
    let parts = (
        maybe(4, identity()),
        maybe(8, list(access(), 0..4)),
        backend,
        net_raw,
    );
    parts.prop_map(|(identity, access, backend, net_raw)| {
        object([
            ("identity", identity),
            ("access", access),
            ("backend", backend),
            ("netRaw", net_raw),
        ])
    })
}

fn namespaces(names: Vec<String>) -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        6 => Just(json!(names)),
        1 => Just(json!(["*"])),
        1 => Just(json!([])),
        2 => Just(json!(["elsewhere", names[0]])),
    ];
    let labels = select(vec![
        json!({}),
        json!({"team": "shop"}),
        json!({"team": "shop", "env": "prod"}),
        json!({"team": ""}),
    ]);
    (maybe(8, names), maybe(6, labels))
        .prop_map(|(names, labels)| object([("names", names), ("matchLabels", labels)]))
}

/// A class for some of these namespaces.
pub(super) fn classes(names: Vec<String>) -> impl Strategy<Value = Value> {
    let scopes = list(scope().prop_map(|scope| json!(scope)), 1..4);
    let listed =
        (role(), scopes).prop_map(|(role, scopes)| json!({"role": role, "scopes": scopes}));
    let group = select(vec![
        "/subscriptions/s/resourceGroups/legacy",
        "/subscriptions/S/ResourceGroups/LEGACY",
        "/subscriptions/s/resourceGroups/a b",
        "/subscriptions/s/resourceGroups/..",
    ]);
    let limits = (
        maybe(9, namespaces(names)),
        maybe(9, list(listed, 1..6)),
        maybe(5, list(group.prop_map(|group| json!(group)), 0..3)),
        maybe(3, Just(json!(["NodeAssigned"]))),
        maybe(5, any::<bool>().prop_map(Value::from)),
    );
    let named = proptest::collection::btree_map(name(), scope(), 0..8).prop_map(|scopes| {
        let one = |(name, id)| json!({"name": name, "id": id});
        scopes.into_iter().map(one).collect::<Value>()
    });
    let own = select(vec![
        "identities",
        "IDENTITIES",
        "identities ",
        "iden\\tities",
    ]);
    (limits, own, maybe(8, named)).prop_map(|(limits, own, named)| {
        let (namespaces, access, groups, backends, net_raw) = limits;
        let limits = object([
            ("namespaces", namespaces),
            ("access", access),
            ("identityGroups", groups),
            ("backends", backends),
            ("allowNetRaw", net_raw),
        ]);
        let fields = json!({
            "resourceGroup": own, "subscriptionId": SUBSCRIPTION, "scopes": named.unwrap_or_else(|| json!([])),
        });
        class(limits, fields)
    })
}
