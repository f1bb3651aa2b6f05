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
        "podid-host-namespaces-templates",
        WARN,
        uuid!("88cc5ab4-127b-5014-a0bd-a98721a71eec"),
        "nobody is warned of templates whose pods would be refused for hostNetwork or hostPID",
    ),
    policy(
        "podid-neighbours-audit",
        WARN,
        uuid!("a500d316-d69e-5650-ba3b-deb23cbda487"),
        "nobody is warned of neighbours that keep NET_RAW",
    ),
    policy(
        "podid-neighbours-enforce",
        DENY,
        uuid!("8e5bdfaa-596b-5799-9adb-8000ea998c6a"),
        "neighbours that keep NET_RAW, and pods that share the network or processes of their node, are admitted",
    ),
    policy(
        "podid-neighbours-templates",
        WARN,
        uuid!("cf1eb4a7-f55d-55db-b038-11c609d15084"),
        "nobody is warned of templates whose pods would be refused as neighbours",
    ),
    policy(
        "podid-net-raw-audit",
        WARN,
        uuid!("57414b13-3fe6-5f42-b612-a97e372ae8f8"),
        "nobody is warned of bound pods that keep NET_RAW",
    ),
    policy(
        "podid-net-raw-enforce",
        DENY,
        uuid!("16358810-128d-5199-a511-471b94cb05d8"),
        "bound pods that keep NET_RAW are admitted, and get no token",
    ),
    policy(
        "podid-net-raw-templates",
        WARN,
        uuid!("3b5642f5-29e9-5e22-9172-407400d2fac4"),
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
        uuid!("a5f62a2f-1470-5c20-9f6d-398febdc7d6e"),
        "pods of hand-written bindings that keep NET_RAW are admitted, and get no token",
    ),
    policy(
        "podid-legacy-net-raw-templates",
        WARN,
        uuid!("08d60d42-51b1-5dda-8c73-5e1b28dfdfc5"),
        "nobody is warned of templates with the label whose pods would be refused",
    ),
];
const LEGACY_AUDITED: [ShippedPolicy; 2] = [
    policy(
        "podid-net-raw-legacy",
        WARN,
        uuid!("a1360406-302a-5c0f-951e-7ec341fecbd7"),
        "nobody is warned of pods with the label that keep NET_RAW",
    ),
    policy(
        "podid-legacy-net-raw-templates",
        WARN,
        uuid!("f2302e44-f5ce-5996-84f2-c7efdb6e1cd1"),
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
