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
pub const SHIPPED: [ShippedPolicy; 14] = [
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
        uuid!("9e04f0a5-d6be-501e-a1c2-dd712a604ffa"),
        "profiles beyond their class are refused by the operator only, after they were applied",
    ),
    policy(
        "podid-daemon-events",
        DENY,
        uuid!("38ea1ec0-7ac4-5cea-a50b-62e0fa3cecea"),
        "a node daemon may write Events about anything",
    ),
    policy(
        "podid-host-namespaces-templates",
        WARN,
        uuid!("1de41022-8728-5c0b-a355-e125c20ae4de"),
        "nobody is warned of templates whose pods would be refused for hostNetwork or hostPID",
    ),
    policy(
        "podid-neighbours-audit",
        WARN,
        uuid!("f3f237e5-ad54-59c4-bf6d-5139c569bd54"),
        "nobody is warned of neighbours that keep NET_RAW",
    ),
    policy(
        "podid-neighbours-enforce",
        DENY,
        uuid!("948bf56e-bc6a-5f1f-bf46-7ea063d71d06"),
        "neighbours that keep NET_RAW, and pods that share the network or processes of their node, are admitted",
    ),
    policy(
        "podid-neighbours-templates",
        WARN,
        uuid!("b7d8f311-db32-57de-9b32-55aad9893e3f"),
        "nobody is warned of templates whose pods would be refused as neighbours",
    ),
    policy(
        "podid-net-raw-audit",
        WARN,
        uuid!("b0632b96-d2fe-55dd-803c-d243d5b23883"),
        "nobody is warned of bound pods that keep NET_RAW",
    ),
    policy(
        "podid-net-raw-enforce",
        DENY,
        uuid!("e65572ef-c98c-5532-a8a1-32816c685ed1"),
        "bound pods that keep NET_RAW are admitted, and get no token",
    ),
    policy(
        "podid-net-raw-templates",
        WARN,
        uuid!("bdc5a8e9-e0d3-5765-b4e3-20a71dd7e7f5"),
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
        uuid!("7c017ddf-a8cd-5983-b80d-c77dcb52446c"),
        "pods of hand-written bindings that keep NET_RAW are admitted, and get no token",
    ),
    policy(
        "podid-legacy-net-raw-templates",
        WARN,
        uuid!("48a6ce39-96b8-5842-ad84-9a4bec0b78e4"),
        "nobody is warned of templates with the label whose pods would be refused",
    ),
];
const LEGACY_AUDITED: [ShippedPolicy; 2] = [
    policy(
        "podid-net-raw-legacy",
        WARN,
        uuid!("d7630cac-19fa-5fdd-8257-ce8461ae44a0"),
        "nobody is warned of pods with the label that keep NET_RAW",
    ),
    policy(
        "podid-legacy-net-raw-templates",
        WARN,
        uuid!("89fda9dc-bc37-5b38-95f0-3860e7bfc719"),
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
