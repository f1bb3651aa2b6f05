//! The policies of podid's manifests.

use uuid::{Uuid, uuid};

use super::state::ShippedPolicy;
use crate::binding::LegacyIdentities;
use crate::net_raw::NetRaw;

const DENY: &[&str] = &["Deny"];
const WARN: &[&str] = &["Warn"];

const fn policy(
    name: &'static str,
    actions: &'static [&'static str],
    says: Uuid,
    without: &'static str,
) -> ShippedPolicy {
    ShippedPolicy {
        name,
        actions,
        without,
        says,
    }
}

/// Those that every installation has, by name. A digest is what the test of the manifests says that it is.
pub const SHIPPED: [ShippedPolicy; 15] = [
    policy(
        "podid-assigned-identities",
        DENY,
        uuid!("f3812311-babc-5749-b124-ff9f0c1ecf7f"),
        "others than the operator may write AzureAssignedIdentities where RBAC lets them",
    ),
    policy(
        "podid-assignment-records",
        DENY,
        uuid!("19326571-509d-5890-82b8-240f21073de9"),
        "the operator may write other ConfigMaps of its namespace",
    ),
    policy(
        "podid-binding-label",
        DENY,
        uuid!("d5ac9b0e-496f-52b2-8ff8-afa46f720f83"),
        "whoever may write the status or placement of pods may bind them",
    ),
    policy(
        "podid-class-limits",
        &["Deny", "Warn"],
        uuid!("e599f3c7-c839-5524-bd20-673c13b8a478"),
        "profiles beyond their class are refused by the operator only, after they were applied",
    ),
    policy(
        "podid-daemon-events",
        DENY,
        uuid!("38ea1ec0-7ac4-5cea-a50b-62e0fa3cecea"),
        "a node daemon may write Events about anything",
    ),
    policy(
        "podid-host-network",
        DENY,
        uuid!("903f8e48-8130-50c9-b43d-760df12dc060"),
        "pods of a class's namespaces may use the network of their node, and get every identity of the node",
    ),
    policy(
        "podid-host-network-templates",
        WARN,
        uuid!("124e9e67-7a66-5b09-9bc9-25fd9612e272"),
        "nobody is warned of templates whose pods would be refused for hostNetwork",
    ),
    policy(
        "podid-neighbours-audit",
        WARN,
        uuid!("e5b7b1b1-11e8-56f1-9d6d-22f2bf45242d"),
        "nobody is warned of neighbours that keep NET_RAW",
    ),
    policy(
        "podid-neighbours-enforce",
        DENY,
        uuid!("57cf1337-c15a-5f9c-ae6f-fc251e5ec9a0"),
        "neighbours that keep NET_RAW are admitted",
    ),
    policy(
        "podid-neighbours-templates",
        WARN,
        uuid!("e7c5ee86-2fd7-5d0a-8ce4-f17bc154e5fc"),
        "nobody is warned of templates whose pods would be refused as neighbours",
    ),
    policy(
        "podid-net-raw-audit",
        WARN,
        uuid!("b3f5bab1-48ac-53ad-a2bd-65f85fd95e51"),
        "nobody is warned of bound pods that keep NET_RAW",
    ),
    policy(
        "podid-net-raw-enforce",
        DENY,
        uuid!("6ce594e2-c893-56f4-8a6e-7c55427f648f"),
        "bound pods that keep NET_RAW are admitted, and get no token",
    ),
    policy(
        "podid-net-raw-templates",
        WARN,
        uuid!("bb5043c7-e95c-55f6-b580-90f671488fcb"),
        "nobody is warned of templates whose pods would be refused",
    ),
    policy(
        "podid-node-taints",
        DENY,
        uuid!("18dc65c1-67ec-5c72-98c5-efbbf85115b0"),
        "the operator may change all of a node",
    ),
    policy(
        "podid-profile-specs",
        DENY,
        uuid!("22d54796-78a7-53c4-93e6-97aa2d142bc4"),
        "the operator may change the specs of profiles",
    ),
];

/// What settings of the operator ask for besides.
const WITHIN_CLASS: ShippedPolicy = policy(
    "podid-legacy-identities",
    DENY,
    uuid!("1de28bdb-959d-5e6c-9016-7dfaed3e2015"),
    "hand-written AzureIdentities beyond their class are admitted, and not served",
);
const NO_LEGACY: ShippedPolicy = policy(
    "podid-legacy-identities",
    DENY,
    uuid!("f3055063-a6b8-5e76-a9bf-306248b95012"),
    "hand-written AzureIdentities are admitted, and not served",
);
const LEGACY_ENFORCED: [ShippedPolicy; 2] = [
    policy(
        "podid-net-raw-legacy",
        DENY,
        uuid!("570eb9c2-89ba-51bc-b881-c8a858437f7e"),
        "pods of hand-written bindings that keep NET_RAW are admitted, and get no token",
    ),
    policy(
        "podid-legacy-net-raw-templates",
        WARN,
        uuid!("0fea1e6f-0e15-5682-9b56-8c1148886119"),
        "nobody is warned of templates with the label whose pods would be refused",
    ),
];
const LEGACY_AUDITED: [ShippedPolicy; 2] = [
    policy(
        "podid-net-raw-legacy",
        WARN,
        uuid!("4a6908ef-9b5b-5847-b0b2-21547747964c"),
        "nobody is warned of pods with the label that keep NET_RAW",
    ),
    policy(
        "podid-legacy-net-raw-templates",
        WARN,
        uuid!("eac5b0e5-3c76-5bef-a143-e6ecf4c44c91"),
        "nobody is warned of templates with the label whose pods would be warned of",
    ),
];

/// Those that an installation has whose operator is set like this: what a component adds beside a setting is wanted
/// where the setting is.
#[must_use]
pub fn wanted(legacy: LegacyIdentities, legacy_net_raw: NetRaw) -> Vec<ShippedPolicy> {
    let of_identities = match legacy {
        LegacyIdentities::Any => None,
        LegacyIdentities::WithinClass => Some(WITHIN_CLASS),
        LegacyIdentities::None => Some(NO_LEGACY),
    };
    let of_pods: &[ShippedPolicy] = match legacy_net_raw {
        NetRaw::Ignore => &[],
        NetRaw::Audit => &LEGACY_AUDITED,
        NetRaw::Enforce => &LEGACY_ENFORCED,
    };
    let added = of_identities.into_iter().chain(of_pods.iter().copied());
    SHIPPED.into_iter().chain(added).collect()
}
