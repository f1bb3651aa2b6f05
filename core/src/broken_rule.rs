//! Which rules about `NET_RAW` and the node's namespaces a pod breaks: those of the identities that it is bound to, and of the
//! classes that ask it of all pods of their namespaces.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::binding::{AzureIdentity, Binding, BoundIdentities, Pod, ServingRules};
use crate::class::{Class, Neighbour};
use crate::net_raw::{Breach, NetRaw};
use crate::object_key::ObjectKey;

/// What of a cluster decides which rules hold for a pod.
#[derive(Clone, Debug, Default)]
pub struct ClusterRules {
    /// All AzureIdentityBindings.
    pub bindings: Vec<Binding>,
    /// All AzureIdentities.
    pub identities: Vec<AzureIdentity>,
    /// All classes.
    pub classes: Vec<Class>,
    /// What the cluster's administrator says about who is served.
    pub serving: ServingRules,
    /// Namespace of podid.
    pub own_namespace: String,
}

/// A rule that a pod breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BrokenRule {
    /// Whose rule it is.
    pub of: RuleOwner,
    /// What becomes of the pod: refused, or only told of.
    pub rule: NetRaw,
}

/// All that a pod breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BrokenRules {
    /// In order.
    pub rules: Vec<BrokenRule>,
    /// What of the pod at least one of them is about.
    pub breaches: BTreeSet<Breach>,
}

/// Whose rule it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum RuleOwner {
    /// Of a profile that binds the pod.
    Profile(ObjectKey),
    /// Of an AzureIdentity that was written by hand and binds the pod.
    AzureIdentity(ObjectKey),
    /// Of a class that asks it of neighbours.
    Class(String),
    /// Of a class that keeps pods of its namespaces out of the namespaces of their node. It is about nothing else.
    HostNamespacesOfClass(String),
}

impl fmt::Display for RuleOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(key) => write!(f, "profile {key}"),
            Self::AzureIdentity(key) => write!(f, "AzureIdentity {key}"),
            Self::Class(name) => write!(f, "class {name}"),
            Self::HostNamespacesOfClass(name) => write!(f, "class {name} on host namespaces"),
        }
    }
}

impl ClusterRules {
    /// The rules that a pod breaks; none for one without breaches.
    #[must_use]
    pub fn broken_by(&self, pod: &Pod, neighbour: &Neighbour<'_>) -> BrokenRules {
        if pod.breaches.is_empty() {
            return BrokenRules::default();
        }
        let bound = BoundIdentities::of(pod, &self.bindings, &self.identities, self.serving);
        let of_identities = bound.uses.iter().map(|(identity, _)| BrokenRule {
            of: owner(identity),
            rule: identity.asked_of_pods(self.serving),
        });
        let of_classes = self.classes.iter().map(|class| BrokenRule {
            of: RuleOwner::Class(class.name.clone()),
            rule: class.asks_of(neighbour, &self.own_namespace),
        });
        let all = of_identities.chain(of_classes);
        let net_raw: BTreeSet<_> = all.filter(|broken| broken.rule != NetRaw::Ignore).collect();
        let sharing = self.rules_about_sharing(pod, neighbour);
        let is_told = |breach: &&Breach| {
            !net_raw.is_empty() || (!sharing.is_empty() && breach.is_of_host_namespaces())
        };
        BrokenRules {
            breaches: pod.breaches.iter().filter(is_told).cloned().collect(),
            rules: net_raw.union(&sharing).cloned().collect(),
        }
    }

    /// The rules of classes that keep the pod out of the namespaces of its node, if it shares any.
    fn rules_about_sharing(&self, pod: &Pod, neighbour: &Neighbour<'_>) -> BTreeSet<BrokenRule> {
        let shares = pod.breaches.iter().any(Breach::is_of_host_namespaces);
        let forbids = |class: &&Class| {
            shares && class.forbids_host_namespaces(neighbour, &self.own_namespace)
        };
        let classes = self.classes.iter().filter(forbids);
        let rules = classes.map(|class| BrokenRule {
            of: RuleOwner::HostNamespacesOfClass(class.name.clone()),
            rule: NetRaw::Enforce,
        });
        rules.collect()
    }
}

fn owner(identity: &AzureIdentity) -> RuleOwner {
    let by_hand = || ObjectKey::new(&identity.namespace, &identity.name);
    match identity.profile() {
        Some(profile) => RuleOwner::Profile(profile),
        None => RuleOwner::AzureIdentity(by_hand()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::binding::AzureIdentityType;
    use crate::class::{NeighbourScope, Neighbours};
    use crate::owner::Origin;
    use crate::profile::admit::tests::class;
    use crate::testing::{binding, id, identity, pod};

    /// The rules that a pod breaks which is bound by one profile, in a cluster with one class.
    fn broken(of_profile: NetRaw, of_class: Option<NetRaw>, breaches: &[Breach]) -> Vec<String> {
        let identity = AzureIdentity {
            origin: Origin::Profile,
            net_raw: of_profile,
            ..identity("web", AzureIdentityType::Managed, id("a"))
        };
        let neighbours = of_class.map(|rule| Neighbours {
            rule,
            scope: NeighbourScope::Nodes,
            except_namespaces: [].into(),
            except_nodes: BTreeMap::new(),
        });
        let mut of_pods = class();
        of_pods.limits.namespaces = [pod().namespace].into();
        let rules = ClusterRules {
            bindings: vec![binding("b", "web")],
            identities: vec![identity],
            classes: vec![Class {
                name: "standard".into(),
                neighbours,
                ..of_pods
            }],
            ..ClusterRules::default()
        };
        let pod = Pod {
            breaches: breaches.iter().cloned().collect(),
            ..pod()
        };
        let none = BTreeMap::new();
        let neighbour = Neighbour {
            namespace: &pod.namespace,
            namespace_labels: &none,
            node_selector: &none,
        };
        let broken = rules.broken_by(&pod, &neighbour);
        let of_rules = broken.rules.iter();
        let words = of_rules.map(|one| format!("{} {:?}", one.of, one.rule));
        let breaches = broken.breaches.iter().map(ToString::to_string);
        words.chain(breaches).collect()
    }

    #[test]
    fn a_pod_breaks_the_rules_of_its_identities_and_of_classes_that_ask_it() {
        let keeps = [Breach::KeepsNetRaw("app".into())];
        let why = "container app does not drop NET_RAW";
        assert_eq!(
            broken(NetRaw::Enforce, Some(NetRaw::Audit), &keeps),
            ["profile apps/web Enforce", "class standard Audit", why]
        );
        assert_eq!(
            broken(NetRaw::Audit, None, &keeps),
            ["profile apps/web Audit", why]
        );
        assert_eq!(
            broken(NetRaw::Ignore, Some(NetRaw::Enforce), &keeps),
            ["class standard Enforce", why]
        );
        assert!(broken(NetRaw::Ignore, Some(NetRaw::Ignore), &keeps).is_empty());
        assert!(broken(NetRaw::Enforce, Some(NetRaw::Enforce), &[]).is_empty());
    }

    #[test]
    fn a_class_that_asks_nothing_else_keeps_pods_out_of_the_nodes_namespaces() {
        let keeps = Breach::KeepsNetRaw("app".into());
        let (network, net_raw) = (
            "the pod sets hostNetwork: true",
            "container app does not drop NET_RAW",
        );
        let both = [Breach::HostNetwork, keeps];
        assert_eq!(
            broken(NetRaw::Ignore, None, &both),
            ["class standard on host namespaces Enforce", network]
        );
        assert_eq!(
            broken(NetRaw::Ignore, Some(NetRaw::Audit), &both),
            [
                "class standard Audit",
                "class standard on host namespaces Enforce",
                network,
                net_raw
            ]
        );
    }
}
