//! Which rules about `NET_RAW` and the node's network a pod breaks: those of the identities that it is bound to, and of the
//! classes that ask it of all pods of their namespaces.

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

/// Whose rule it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum RuleOwner {
    /// Of a profile that binds the pod.
    Profile(ObjectKey),
    /// Of an AzureIdentity that was written by hand and binds the pod.
    AzureIdentity(ObjectKey),
    /// Of a class that asks it of pods that nobody need have bound.
    Class(String),
}

impl fmt::Display for RuleOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(key) => write!(f, "profile {key}"),
            Self::AzureIdentity(key) => write!(f, "AzureIdentity {key}"),
            Self::Class(name) => write!(f, "class {name}"),
        }
    }
}

impl ClusterRules {
    /// The rules that a pod breaks, in order; none for one without breaches.
    #[must_use]
    pub fn broken_by(&self, pod: &Pod, neighbour: &Neighbour<'_>) -> Vec<BrokenRule> {
        if pod.breaches.is_empty() {
            return Vec::new();
        }
        let bound = BoundIdentities::of(pod, &self.bindings, &self.identities, self.serving);
        let of_identities = bound.uses.iter().map(|(identity, _)| BrokenRule {
            of: owner(identity),
            rule: identity.asked_of_pods(self.serving),
        });
        let of_classes = self.classes.iter().map(|class| BrokenRule {
            of: RuleOwner::Class(class.name.clone()),
            rule: self.asked_by(class, pod, neighbour),
        });
        let all = of_identities.chain(of_classes);
        let mut broken: Vec<_> = all.filter(|broken| broken.rule != NetRaw::Ignore).collect();
        broken.sort();
        broken
    }

    /// What a class does about a pod with breaches.
    fn asked_by(&self, class: &Class, pod: &Pod, neighbour: &Neighbour<'_>) -> NetRaw {
        let shares = pod.breaches.contains(&Breach::HostNetwork);
        match shares && class.forbids_host_network(neighbour, &self.own_namespace) {
            true => NetRaw::Enforce,
            false => class.asks_of(neighbour, &self.own_namespace),
        }
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
        let broken = rules.broken_by(&pod, &neighbour).into_iter();
        broken
            .map(|one| format!("{} {:?}", one.of, one.rule))
            .collect()
    }

    #[test]
    fn a_pod_breaks_the_rules_of_its_identities_and_of_classes_that_ask_it() {
        let keeps = [Breach::KeepsNetRaw("app".into())];
        assert_eq!(
            broken(NetRaw::Enforce, Some(NetRaw::Audit), &keeps),
            ["profile apps/web Enforce", "class standard Audit"]
        );
        assert_eq!(
            broken(NetRaw::Audit, None, &keeps),
            ["profile apps/web Audit"]
        );
        assert_eq!(
            broken(NetRaw::Ignore, Some(NetRaw::Enforce), &keeps),
            ["class standard Enforce"]
        );
        assert!(broken(NetRaw::Ignore, Some(NetRaw::Ignore), &keeps).is_empty());
        assert_eq!(
            broken(NetRaw::Ignore, Some(NetRaw::Audit), &[Breach::HostNetwork]),
            ["class standard Enforce"]
        );
        assert!(broken(NetRaw::Enforce, Some(NetRaw::Enforce), &[]).is_empty());
    }
}
