mod properties;
mod scopes;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::class::check_class;
use crate::class::{AccessLimit, Cloud, Limits, NodeGrants};
use crate::net_raw::NetRaw;
use crate::profile::grace::DEFAULT_DELETION_GRACE;
use crate::profile::{Access, CreationPolicy, DeletionPolicy, Drift, Interval};
use crate::scope::Scope;

pub(crate) const SUBSCRIPTION: &str = "/subscriptions/s";
pub(crate) const VAULT: &str =
    "/subscriptions/s/resourceGroups/apps/providers/Microsoft.KeyVault/vaults/v";

pub(crate) fn class() -> Class {
    Class {
        name: "prod".into(),
        cloud: Cloud::AzurePublicCloud,
        cluster_name: "c".into(),
        tenant_id: "tenant".into(),
        subscription_id: "s".into(),
        resource_group: "identities".into(),
        location: "westeurope".into(),
        node_resource_group: "nodes".into(),
        default_backend: Backend::NodeAssigned,
        node_grants: Some(NodeGrants {
            principal_id: "machines".into(),
            identity_operator: IdentityOperatorGrant::Identity,
            machine_contributor: MachineContributorGrant::NodeResourceGroup,
        }),
        scopes: Vec::new(),
        neighbours: None,
        limits: Limits {
            namespaces: ["shop".to_owned()].into(),
            access: vec![limit(
                "Key Vault Secrets User",
                "/subscriptions/s/resourceGroups/apps",
            )],
            ..Limits::default()
        },
    }
}

pub(crate) fn profile() -> Profile {
    Profile {
        namespace: "shop".into(),
        name: "cart".into(),
        uid: "uid".into(),
        namespace_labels: BTreeMap::new(),
        class_name: "prod".into(),
        identity_name: None,
        identity_id: None,
        tags: BTreeMap::new(),
        deletion_policy: DeletionPolicy::Delete,
        deletion_grace: DEFAULT_DELETION_GRACE,
        creation_policy: CreationPolicy::Create,
        access: vec![access("Key Vault Secrets User", VAULT)],
        selector: "cart".into(),
        service_accounts: BTreeSet::new(),
        backend: None,
        net_raw: NetRaw::Enforce,
        drift: Drift::Enforce,
        suspend: false,
        interval: Interval::Default,
    }
}

pub(crate) fn access(role: &str, scope: &str) -> Access {
    Access {
        role: role.into(),
        scope: Scope::parse(scope),
    }
}

fn limit(role: &str, scope: &str) -> AccessLimit {
    AccessLimit {
        role: role.into(),
        scopes: vec![ArmId::new(scope)],
    }
}

/// The fields that are refused.
fn refused(profile: &Profile, class: &Class) -> Vec<String> {
    admit(profile, class)
        .err()
        .unwrap_or_default()
        .into_iter()
        .map(|v| v.field)
        .collect()
}

#[test]
fn a_profile_within_its_limits_is_admitted_whole() {
    let desired = admit(&profile(), &class()).expect("admitted");
    let grants: Vec<String> = desired
        .grants
        .iter()
        .map(|grant| format!("{} {}", grant.role, grant.scope))
        .collect();
    let id = desired.identity.id.to_string();
    assert_eq!(
        grants,
        [
            format!("Key Vault Secrets User {VAULT}"),
            format!("Managed Identity Operator {id}"),
            "Virtual Machine Contributor /subscriptions/s/resourceGroups/nodes".to_owned(),
        ]
    );
    assert_eq!(desired.identity.tags["podid-uid"], "uid");
}

#[test]
fn empty_limits_deny() {
    let class = Class {
        limits: Limits::default(),
        ..class()
    };
    assert_eq!(
        refused(&profile(), &class),
        ["metadata.namespace", "spec.access[0].role"]
    );
}

#[test]
fn namespaces_come_in_by_name_by_star_or_by_all_labels() {
    let elsewhere = Profile {
        namespace: "other".into(),
        ..profile()
    };
    let by = |limits: Limits| Class {
        limits: Limits {
            access: class().limits.access,
            ..limits
        },
        ..class()
    };
    assert_eq!(refused(&elsewhere, &class()), ["metadata.namespace"]);
    let star = by(Limits {
        namespaces: ["*".to_owned()].into(),
        ..Limits::default()
    });
    assert_eq!(refused(&elsewhere, &star), [""; 0]);

    let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let labelled = by(Limits {
        namespace_labels: Some(labels(&[("team", "shop"), ("env", "prod")])),
        ..Limits::default()
    });
    let with = |pairs| Profile {
        namespace_labels: labels(pairs),
        ..elsewhere.clone()
    };
    assert_eq!(
        refused(&with(&[("team", "shop"), ("env", "prod")]), &labelled),
        [""; 0]
    );
    assert_eq!(
        refused(&with(&[("team", "shop")]), &labelled),
        ["metadata.namespace"]
    );
    let nothing = by(Limits {
        namespace_labels: Some(BTreeMap::new()),
        ..Limits::default()
    });
    assert_eq!(
        refused(&with(&[]), &nothing),
        ["metadata.namespace"],
        "no label is no permission"
    );
}

#[test]
fn a_scope_is_compared_on_whole_folded_segments() {
    let with = |scope| Profile {
        access: vec![access("Key Vault Secrets User", scope)],
        ..profile()
    };
    for scope in [VAULT, "/subscriptions/S/resourcegroups/APPS"] {
        assert_eq!(refused(&with(scope), &class()), [""; 0], "{scope}");
    }
    for scope in [
        SUBSCRIPTION,
        "/subscriptions/s/resourceGroups/apps2",
        "/subscriptions/s/resourceGroups/apps/../other",
        "/subscriptions/s/resourceGroups/apps/%2e%2e/other",
        "/subscriptions/s/resourceGroups/apps//x",
        "/subscriptions/s/resourceGroups/apps?x",
        "/",
        "",
    ] {
        assert_eq!(
            refused(&with(scope), &class()),
            ["spec.access[0].scope"],
            "{scope}"
        );
    }
}

#[test]
fn a_role_that_gives_rights_must_be_listed_by_name() {
    let owner = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
    let asks = |role| Profile {
        access: vec![access(role, VAULT)],
        ..profile()
    };
    let lists = |role| {
        let limits = Limits {
            access: vec![limit(role, SUBSCRIPTION)],
            ..class().limits
        };
        Class { limits, ..class() }
    };
    assert_eq!(
        refused(&asks("Owner"), &lists("Key Vault Secrets User")),
        ["spec.access[0].role"]
    );
    assert_eq!(
        refused(&asks("Owner"), &lists(owner)),
        ["spec.access[0].role"]
    );
    assert_eq!(refused(&asks(owner), &lists("owner")), [""; 0]);
    assert_eq!(
        check_class(&lists(owner))[0].field,
        "spec.limits.access[0].role"
    );
    assert_eq!(check_class(&lists("Owner")), []);
}

#[test]
fn adoption_stays_within_the_groups_of_the_class() {
    let id = |group: &str| {
        ArmId::new(format!(
            "/subscriptions/s/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
        ))
    };
    let adopts = |id| Profile {
        identity_id: Some(id),
        creation_policy: CreationPolicy::Adopt,
        ..profile()
    };
    let field = "spec.identity.resourceId";
    assert_eq!(
        refused(&adopts(id("IDENTITIES")), &class()),
        [""; 0],
        "the class's own group"
    );
    assert_eq!(refused(&adopts(id("legacy")), &class()), [field]);
    let groups = vec![ArmId::new("/subscriptions/s/resourceGroups/legacy")];
    let wider = Class {
        limits: Limits {
            identity_groups: groups,
            ..class().limits
        },
        ..class()
    };
    assert_eq!(refused(&adopts(id("legacy")), &wider), [""; 0]);
    assert_eq!(refused(&adopts(ArmId::new(VAULT)), &wider), [field]);
    let create = Profile {
        creation_policy: CreationPolicy::Create,
        ..adopts(id("legacy"))
    };
    assert_eq!(refused(&create, &wider), [field]);
}

#[test]
fn the_net_raw_rule_is_loosened_only_where_the_class_lets() {
    let off = Profile {
        net_raw: NetRaw::Ignore,
        ..profile()
    };
    assert_eq!(refused(&off, &class()), ["spec.netRaw"]);
    let lets = Class {
        limits: Limits {
            allow_net_raw: true,
            ..class().limits
        },
        ..class()
    };
    assert_eq!(refused(&off, &lets), [""; 0]);
}

#[test]
fn a_violation_says_what_why_and_who_can_mend_it() {
    let elsewhere = Profile {
        namespace: "other".into(),
        ..profile()
    };
    let violations = admit(&elsewhere, &class()).expect_err("refused");
    assert_eq!(
        violations[0].to_string(),
        "metadata.namespace: \"other\" is not a namespace that may use this class; correct it, or \
         ask the owner of class prod to allow it in spec.limits.namespaces"
    );
}

#[test]
fn tags_of_podids_own_are_refused_in_any_letter_case() {
    let tagged = |name: &str| Profile {
        tags: [(name.to_owned(), "x".to_owned())].into(),
        ..profile()
    };
    assert_eq!(refused(&tagged("team"), &class()), [""; 0]);
    for name in ["podid-uid", "Podid-anything"] {
        assert_eq!(refused(&tagged(name), &class()), ["spec.identity.tags"]);
    }
}

#[test]
fn the_default_backend_of_the_class_may_be_named_although_no_limit_lists_it() {
    let names_it = Profile {
        backend: Some(class().default_backend),
        ..profile()
    };
    assert!(class().limits.backends.is_empty());
    assert_eq!(refused(&names_it, &class()), [""; 0]);
}
