use std::collections::BTreeSet;

use uuid::Uuid;

use super::*;
use crate::binding::LegacyIdentities;

#[test]
fn the_operator_may_read_every_policy_and_no_other() {
    let rights = include_str!("../../../kustomize/cluster/rbac/operator.yaml");
    let (_, listed) = rights
        .split_once("validatingadmissionpolicybindings]\n    resourceNames:\n")
        .expect("the rule");
    let listed = listed
        .lines()
        .map_while(|line| line.trim().strip_prefix("- "));
    let settings = [
        (LegacyIdentities::Any, NetRaw::Ignore),
        (LegacyIdentities::WithinClass, NetRaw::Audit),
        (LegacyIdentities::None, NetRaw::Enforce),
    ];
    let wanted = settings.map(|(legacy, net_raw)| wanted(legacy, net_raw));
    let names: BTreeSet<&str> = wanted.iter().flatten().map(|policy| policy.name).collect();
    assert_eq!(
        listed.collect::<Vec<_>>(),
        names.into_iter().collect::<Vec<_>>()
    );
}

#[test]
fn each_rule_has_its_policy() {
    let name = |policy: Option<ShippedPolicy>| policy.map(|policy| policy.name);
    assert_eq!(
        name(for_bound_pods(NetRaw::Enforce)),
        Some("podid-net-raw-enforce")
    );
    assert_eq!(
        name(for_bound_pods(NetRaw::Audit)),
        Some("podid-net-raw-audit")
    );
    assert_eq!(name(for_bound_pods(NetRaw::Ignore)), None);
    assert_eq!(
        name(for_neighbours(NetRaw::Enforce)),
        Some("podid-neighbours-enforce")
    );
    assert_eq!(
        name(for_neighbours(NetRaw::Audit)),
        Some("podid-neighbours-audit")
    );
    assert_eq!(name(for_neighbours(NetRaw::Ignore)), None);
}

#[test]
fn a_binding_or_a_rule_that_was_changed_is_told() {
    let policy = for_bound_pods(NetRaw::Enforce).expect("a policy");
    let good = PolicyBinding {
        policy: policy.name.to_owned(),
        actions: vec!["Audit".into(), "Deny".into()],
        is_narrowed: false,
    };
    let state = |binding: &PolicyBinding, says| {
        let binding = binding.clone();
        policy.state(Some(&InstalledPolicy { says, binding }))
    };
    assert_eq!(
        state(&good, policy.says),
        PolicyState::Installed(policy.name)
    );
    assert_eq!(
        state(&good, Uuid::nil()),
        PolicyState::Changed(policy.name, PolicyPart::Rule)
    );
    assert_eq!(policy.state(None), PolicyState::Missing(policy.name));
    let others = [
        PolicyBinding {
            policy: "podid-net-raw-audit".into(),
            ..good.clone()
        },
        PolicyBinding {
            actions: vec!["Warn".into()],
            ..good.clone()
        },
        PolicyBinding {
            is_narrowed: true,
            ..good
        },
    ];
    for other in others {
        let state = state(&other, policy.says);
        assert_eq!(
            state,
            PolicyState::Changed(policy.name, PolicyPart::Binding),
            "{other:?}"
        );
    }
}

#[test]
fn what_is_missing_is_named_before_what_could_not_be_read() {
    let installed = || {
        SHIPPED
            .iter()
            .map(|policy| PolicyState::Installed(policy.name))
    };
    let mut states: Vec<_> = installed().collect();
    assert_eq!(
        installed_condition(&SHIPPED, &states).status,
        ConditionStatus::True
    );
    states[0] = PolicyState::NotRead("may not read".into());
    let unread = installed_condition(&SHIPPED, &states);
    assert_eq!(
        (unread.status, &*unread.message),
        (ConditionStatus::Unknown, "may not read")
    );
    states[3] = PolicyState::Missing("podid-class-limits");
    let missing = installed_condition(&SHIPPED, &states);
    assert_eq!(missing.status, ConditionStatus::False);
    assert!(
        missing
            .message
            .contains("podid-class-limits or its binding is missing (without it, profiles beyond")
    );
}

#[test]
fn a_change_is_not_called_missing() {
    let names = SHIPPED.map(|policy| policy.name);
    let mut states: Vec<_> = names.map(PolicyState::Installed).to_vec();
    states[0] = PolicyState::Changed(names[0], PolicyPart::Rule);
    states[1] = PolicyState::Changed(names[1], PolicyPart::Binding);
    let changed = installed_condition(&SHIPPED, &states);
    assert_eq!(changed.reason, POLICY_CHANGED);
    for words in [
        "says something else (without it,",
        "has a changed binding (without it,",
    ] {
        assert!(changed.message.contains(words), "{}", changed.message);
    }
    states[2] = PolicyState::Missing(names[2]);
    assert_eq!(
        installed_condition(&SHIPPED, &states).reason,
        POLICY_MISSING
    );
}
