//! Values of flags.

use std::collections::BTreeSet;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use podid_core::net_raw::NetRaw;
use podid_crds::podid::{AccessLimit, AccessRule};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::roles;

/// One of a kind's own words, in any letter case.
pub(crate) fn choice<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(move |text| {
        let word = words.iter().find(|word| word.eq_ignore_ascii_case(&text));
        serde_json::from_value(Value::from(*word.unwrap_or(&text.as_str())))
    })
}

/// What becomes of pods that break the rule about NET_RAW.
pub(crate) fn net_raw() -> impl TypedValueParser<Value = NetRaw> {
    choice(&["Enforce", "Audit", "Ignore"])
}

/// `ROLE=SCOPE`, for instance `Reader=/subscriptions/…`. A name that is nearly a built-in role's is
/// refused.
pub(crate) fn access(text: &str) -> Result<AccessRule, String> {
    let (role, scope) = pair(text, "ROLE=SCOPE, for example \"Reader=/subscriptions/…\"")?;
    match roles::misspelt(&role) {
        Some(slip) => Err(slip),
        None => Ok(AccessRule { role, scope }),
    }
}

/// One limit a role, with the scopes in the order given.
pub(crate) fn access_limits(rules: &[AccessRule]) -> Vec<AccessLimit> {
    let mut limits: Vec<AccessLimit> = Vec::new();
    for AccessRule { role, scope } in rules {
        match limits.iter_mut().find(|limit| limit.role == *role) {
            Some(limit) => limit.scopes.push(scope.clone()),
            None => limits.push(AccessLimit {
                role: role.clone(),
                scopes: vec![scope.clone()],
            }),
        }
    }
    limits
}

/// Notes about roles that only Azure can know.
pub(super) fn role_notes(rules: &[AccessRule]) -> Vec<String> {
    let notes: BTreeSet<String> = rules
        .iter()
        .filter_map(|rule| roles::unknown(&rule.role))
        .collect();
    notes.into_iter().collect()
}

/// `NAME=VALUE` of a tag or label.
pub(crate) fn named(text: &str) -> Result<(String, String), String> {
    pair(text, "NAME=VALUE")
}

fn pair(text: &str, form: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((left, right)) if !left.trim().is_empty() && !right.trim().is_empty() => {
            Ok((left.trim().to_owned(), right.trim().to_owned()))
        }
        _ => Err(format!("write {form}")),
    }
}

/// `None` for an empty list, so that the field is left out of the file.
pub(super) fn unless_empty<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}
