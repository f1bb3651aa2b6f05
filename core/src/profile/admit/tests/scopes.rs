//! Scopes by the names that the class gives them.

use super::*;
use crate::class::NamedScope;

pub(super) fn named(name: &str, id: &str) -> NamedScope {
    NamedScope {
        name: name.into(),
        id: ArmId::new(id),
    }
}

fn asks(scopes: &[&str]) -> Profile {
    let one = |scope: &&str| access("Key Vault Secrets User", scope);
    Profile {
        access: scopes.iter().map(one).collect(),
        ..profile()
    }
}

fn names(scopes: &[(&str, &str)]) -> Class {
    let one = |(name, id): &(&str, &str)| named(name, id);
    Class {
        scopes: scopes.iter().map(one).collect(),
        ..class()
    }
}

/// The refusal of a profile that asks for this scope.
fn why(scope: &str, class: &Class) -> String {
    let violations = admit(&asks(&[scope]), class).expect_err("refused");
    violations[0].to_string()
}

#[test]
fn a_name_is_the_id_that_the_class_gives_it() {
    let by_name = admit(&asks(&["vault"]), &names(&[("vault", VAULT)]));
    let by_id = admit(&asks(&[VAULT]), &class());
    assert_eq!(by_name, by_id);
    assert!(by_id.is_ok());
}

#[test]
fn a_right_by_name_and_by_id_is_one_right() {
    let class = names(&[("vault", VAULT), ("same", VAULT)]);
    let desired = admit(&asks(&["vault", VAULT, "same"]), &class).expect("admitted");
    let of_identity = |grant: &&Grant| grant.to == Grantee::Identity;
    assert_eq!(desired.grants.iter().filter(of_identity).count(), 1);
}

#[test]
fn a_name_permits_nothing() {
    let elsewhere = names(&[("other", "/subscriptions/s/resourceGroups/other")]);
    assert_eq!(
        why("other", &elsewhere),
        "spec.access[0].scope: \"other\" names /subscriptions/s/resourceGroups/other, which is not at or below a \
         scope where Key Vault Secrets User may be asked for; correct it, or ask the owner of class prod to allow it \
         in spec.limits.access"
    );
}

#[test]
fn an_unknown_name_is_refused_with_the_names_that_there_are() {
    assert_eq!(
        why("valt", &names(&[("vault", VAULT), ("logs", VAULT)])),
        "spec.access[0].scope: \"valt\" is not a scope that its class names (it names vault, logs); correct it, or \
         ask the owner of class prod to allow it in spec.scopes"
    );
    assert!(why("valt", &class()).contains("(it names none)"));
    let many: Vec<(String, &str)> = (0..6).map(|n| (format!("n{n}"), VAULT)).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, id)| (name.as_str(), *id)).collect();
    assert!(why("valt", &names(&many)).contains("(it names n0, n1, n2, n3, n4, …)"));
    assert!(why("valt", &names(&many[..5])).contains("(it names n0, n1, n2, n3, n4)"));
    assert!(why("Vault", &names(&[("vault", VAULT)])).contains("is not a scope that its class"));
}

#[test]
fn a_name_for_what_is_no_plain_id_is_refused_and_the_class_mends_it() {
    let odd = names(&[("vault", "/subscriptions/s/resourceGroups/apps/../other")]);
    let message = why("vault", &odd);
    let words = "which is not an ARM id that starts with /subscriptions/…";
    assert!(
        message.contains(words) && message.ends_with("in spec.scopes"),
        "{message}"
    );
}
