//! The rule behind `netRaw: Enforce`: which rights a pod must not have, because with them it
//! could send packets in the name of another pod.
//!
//! The admission policies `podid-net-raw-*` and `podid-neighbours-*`, and the warnings at templates, state the same rule in
//! CEL. All exempt Windows pods: they have no capabilities, and the node daemon runs on Linux nodes only. The policies
//! check a pod when it is created or bound. The operator and the node daemon apply the rule to pods that no policy
//! checked: those that are older than their profile, or were created before the policy was active.

mod named_pods;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

pub use named_pods::NamedPods;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether pods must drop the capability `NET_RAW`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum NetRaw {
    /// A pod that keeps it is refused.
    #[default]
    Enforce,
    /// A pod that keeps it is admitted with a warning and an audit annotation.
    Audit,
    /// Nothing is checked.
    Ignore,
}

impl FromStr for NetRaw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Ignore" => Ok(Self::Ignore),
            "Audit" => Ok(Self::Audit),
            "Enforce" => Ok(Self::Enforce),
            _ => Err("it is Ignore, Audit or Enforce".to_owned()),
        }
    }
}

/// A pod's security settings, as far as the rule needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSecurity {
    /// `spec.hostNetwork`
    pub host_network: bool,
    /// `spec.hostPID`
    pub host_pid: bool,
    /// Containers, init containers and debugging containers.
    pub containers: Vec<Container>,
}

/// One container's `securityContext`, as far as the rule needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Name of the container.
    pub name: String,
    /// `privileged`
    pub privileged: bool,
    /// `capabilities.add`, as written.
    pub add: Vec<String>,
    /// `capabilities.drop`, as written.
    pub drop: Vec<String>,
}

/// One way in which a pod breaks the rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Breach {
    /// The pod uses the node's network.
    HostNetwork,
    /// The pod sees the node's processes.
    HostPid,
    /// This container does not drop `NET_RAW`.
    KeepsNetRaw(String),
    /// This container adds this capability, as written.
    Adds(String, String),
    /// This container is privileged, hence has every capability.
    Privileged(String),
}

/// Every breach of the rule by a pod; empty when it keeps the rule.
#[must_use]
pub fn breaches(pod: &PodSecurity) -> BTreeSet<Breach> {
    let of_pod = [
        (pod.host_network, Breach::HostNetwork),
        (pod.host_pid, Breach::HostPid),
    ];
    let of_pod = of_pod
        .into_iter()
        .filter_map(|(broken, breach)| broken.then_some(breach));
    of_pod
        .chain(pod.containers.iter().flat_map(breaches_of_container))
        .collect()
}

fn breaches_of_container(container: &Container) -> impl Iterator<Item = Breach> {
    let name = || container.name.clone();
    // Runtimes disagree about a CAP_ prefix and about letter case, so only the spelling that every
    // runtime understands counts as dropped, and any spelling counts as added.
    let drops = container.drop.iter().any(|c| c == "NET_RAW" || c == "ALL");
    let added = container.add.iter().filter(|c| is_forbidden(c));
    let adds = added.map(move |c| Breach::Adds(container.name.clone(), c.clone()));
    let privileged = container.privileged.then(|| Breach::Privileged(name()));
    let keeps = (!drops).then(|| Breach::KeepsNetRaw(name()));
    keeps.into_iter().chain(adds).chain(privileged)
}

/// Capabilities that let a container send packets in another pod's name, directly or by leaving its own namespaces, or
/// that let it read another's token. NET_ADMIN changes the links of other pods where user namespaces are not in use. The
/// others load code into the kernel or another kernel, write to devices and memory, enter namespaces, open any file of
/// the node, or sample the memory of its processes (PERFMON).
pub const FORBIDDEN: [&str; 10] = [
    "NET_RAW",
    "NET_ADMIN",
    "SYS_ADMIN",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_BOOT",
    "BPF",
    "PERFMON",
    "DAC_READ_SEARCH",
    "ALL",
];

impl Breach {
    /// Whether the pod shares a namespace of its node, as it says in its spec.
    #[must_use]
    pub fn is_of_host_namespaces(&self) -> bool {
        matches!(self, Self::HostNetwork | Self::HostPid)
    }
}

fn is_forbidden(capability: &str) -> bool {
    // A runtime makes letters large by Unicode's rules, by which `NET_ADMıN` is NET_ADMIN. No capability has another
    // character than these.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !capability.chars().all(is_plain) {
        return true;
    }
    let upper = capability.to_ascii_uppercase();
    FORBIDDEN.contains(&upper.strip_prefix("CAP_").unwrap_or(&upper))
}

/// The name of a capability, or words for it: Kubernetes takes any text, and one with control characters would write lines
/// of its own on somebody's terminal, or keep an API server from saying more than a policy's fixed message. The policies
/// print the same.
fn printable(capability: &str) -> &str {
    match capability.chars().all(|c| (' '..='~').contains(&c)) {
        true => capability,
        false => "(what is no name of a capability)",
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostNetwork => f.write_str("the pod sets hostNetwork: true"),
            Self::HostPid => f.write_str("the pod sets hostPID: true"),
            Self::KeepsNetRaw(name) => write!(f, "container {name} does not drop NET_RAW"),
            Self::Adds(name, capability) => {
                write!(f, "container {name} adds {}", printable(capability))
            }
            Self::Privileged(name) => write!(f, "container {name} is privileged"),
        }
    }
}

/// How many breaches a text names. The remedy follows them, and both must fit into one Event.
const NAMED: usize = 6;

/// What to change in a pod's template so that it keeps the rule, for exactly these breaches.
#[must_use]
pub fn remedy(breaches: &BTreeSet<Breach>) -> String {
    let any = |kind: fn(&Breach) -> bool| breaches.iter().any(kind);
    let steps = [
        (
            any(|b| matches!(b, Breach::KeepsNetRaw(_))),
            "add securityContext: {capabilities: {drop: [NET_RAW]}} to each container named",
        ),
        (
            any(|b| matches!(b, Breach::Adds(..))),
            "remove what is named from securityContext.capabilities.add",
        ),
        (
            any(|b| matches!(b, Breach::Privileged(_))),
            "remove securityContext.privileged",
        ),
        (
            any(|b| matches!(b, Breach::HostNetwork)),
            "remove hostNetwork",
        ),
        (any(|b| matches!(b, Breach::HostPid)), "remove hostPID"),
    ];
    let steps = steps
        .into_iter()
        .filter_map(|(broken, step)| broken.then_some(step));
    steps.collect::<Vec<_>>().join("; ")
}

/// Reason of the Event on a bound pod with these breaches. The operator and the node daemon both write it.
#[must_use]
pub fn reason(breaches: &BTreeSet<Breach>) -> &'static str {
    match breaches.iter().all(Breach::is_of_host_namespaces) {
        false => "BreaksNetRawRule",
        true => "HostNamespaceUsed",
    }
}

/// The breaches in one phrase, as `container app does not drop NET_RAW, the pod sets hostPID: true`.
#[must_use]
pub fn describe(breaches: &BTreeSet<Breach>) -> String {
    let named = breaches.iter().take(NAMED).map(ToString::to_string);
    let mut texts: Vec<String> = named.collect();
    if let more @ 1.. = breaches.len().saturating_sub(NAMED) {
        texts.push(format!("and {more} more"));
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(add: &[&str], drop: &[&str]) -> Container {
        let owned = |list: &[&str]| list.iter().map(|&c| c.to_owned()).collect();
        Container {
            name: "app".into(),
            privileged: false,
            add: owned(add),
            drop: owned(drop),
        }
    }

    fn found(container: Container) -> String {
        let pod = PodSecurity {
            containers: vec![container],
            ..PodSecurity::default()
        };
        describe(&breaches(&pod))
    }

    #[test]
    fn a_capability_with_control_characters_writes_none() {
        let says = |name: &str| Breach::Adds("app".into(), name.into()).to_string();
        for plain in ["NET_ADMIN", "NET RAW", "it's \\"] {
            assert_eq!(says(plain), format!("container app adds {plain}"));
        }
        for odd in [
            "X\nteam-a/fake",
            "X\u{1b}[31m",
            "X\u{202e}",
            "NET_ADM\u{131}N",
        ] {
            let words = "container app adds (what is no name of a capability)";
            assert_eq!(says(odd), words);
        }
    }

    #[test]
    fn only_the_spelling_that_every_runtime_understands_counts_as_dropped() {
        for kept in [&[][..], &["net_raw"], &["CAP_NET_RAW"], &["all"], &["KILL"]] {
            assert_eq!(
                found(container(&[], kept)),
                "container app does not drop NET_RAW",
                "{kept:?}"
            );
        }
        for dropped in ["NET_RAW", "ALL"] {
            assert_eq!(found(container(&[], &[dropped])), "", "{dropped}");
        }
    }

    #[test]
    fn any_spelling_counts_as_added() {
        for added in [
            "NET_RAW",
            "cap_net_raw",
            "All",
            "CAP_ALL",
            "sys_admin",
            "CAP_SYS_ADMIN",
            "net_admin",
            "CAP_BPF",
        ] {
            let text = format!("container app adds {added}");
            assert_eq!(found(container(&[added], &["ALL"])), text);
        }
        assert_eq!(found(container(&["NET_BIND_SERVICE"], &["ALL"])), "");
    }

    #[test]
    fn a_text_about_many_breaches_stays_short() {
        let keeps = |number| Breach::KeepsNetRaw(format!("{number:063}"));
        let text = describe(&(0..50).map(keeps).collect());
        assert!(text.len() < 650, "{text}");
        assert!(text.ends_with(", and 44 more"), "{text}");
    }

    #[test]
    fn the_remedy_is_for_what_is_broken_and_nothing_else() {
        let remedy = |breach| remedy(&[breach].into());
        assert!(remedy(Breach::KeepsNetRaw("app".into())).contains("drop: [NET_RAW]"));
        assert_eq!(remedy(Breach::HostPid), "remove hostPID");
        assert_eq!(
            super::remedy(&[Breach::HostNetwork, Breach::Privileged("app".into())].into()),
            "remove securityContext.privileged; remove hostNetwork"
        );
    }

    #[test]
    fn the_reason_names_the_rule_unless_only_the_pod_itself_breaks_it() {
        let reason = |breaches: &[Breach]| super::reason(&breaches.iter().cloned().collect());
        let keeps = Breach::KeepsNetRaw("app".into());
        assert_eq!(reason(std::slice::from_ref(&keeps)), "BreaksNetRawRule");
        assert_eq!(reason(&[Breach::HostPid, keeps]), "BreaksNetRawRule");
        assert_eq!(
            reason(&[Breach::HostPid, Breach::HostNetwork]),
            "HostNamespaceUsed"
        );
    }

    #[test]
    fn the_pod_itself_can_break_the_rule() {
        let pod = PodSecurity {
            host_network: true,
            host_pid: true,
            containers: vec![Container {
                privileged: true,
                ..container(&[], &["NET_RAW"])
            }],
        };
        assert_eq!(
            breaches(&pod).into_iter().collect::<Vec<_>>(),
            [
                Breach::HostNetwork,
                Breach::HostPid,
                Breach::Privileged("app".into())
            ]
        );
    }
}
