//! Whose pods a class keeps out of the namespaces of their node.

use super::neighbours::Neighbour;
use super::spec::{Class, Neighbours};

impl Class {
    /// Whether the class lets a pod share neither the network nor the processes of its node: on that network it asks the
    /// metadata service as the node does, past podid, and gets every identity of the node, and among those processes it may
    /// read the tokens of others. A class for all namespaces (`*`) says of none whose it is, and keeps nobody out.
    /// `own_namespace` is podid's. The policy `podid-neighbours-enforce` states the same in CEL, and
    /// `podid-host-namespaces-templates` of templates.
    #[must_use]
    pub fn forbids_host_namespaces(&self, pod: &Neighbour<'_>, own_namespace: &str) -> bool {
        let is_excepted = |neighbours: &Neighbours| neighbours.excepts(pod);
        !self.limits.allow_host_namespaces
            && !pod.is_of_the_system(own_namespace)
            && self.names_namespace(pod.namespace, pod.namespace_labels)
            && !self.neighbours.as_ref().is_some_and(is_excepted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::class::NeighbourScope;
    use crate::net_raw::NetRaw;
    use crate::profile::admit::tests::class;

    fn forbids(names: &[&str], labels: &[(&str, &str)], allows: bool, namespace: &str) -> bool {
        let mut class = class();
        class.limits.namespaces = names.iter().map(|&name| name.to_owned()).collect();
        let wanted = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
        class.limits.namespace_labels = Some(wanted);
        class.limits.allow_host_namespaces = allows;
        let labels = labels.iter();
        let labels = labels.map(|&(key, value)| (key.to_owned(), value.to_owned()));
        let pod = Neighbour {
            namespace,
            namespace_labels: &labels.collect(),
            node_selector: &BTreeMap::new(),
        };
        class.forbids_host_namespaces(&pod, "podid-system")
    }

    #[test]
    fn pods_of_namespaces_that_the_class_names_are_kept_out() {
        assert!(forbids(&["apps"], &[], false, "apps"));
        assert!(forbids(&[], &[("team", "a"), ("x", "y")], false, "other"));
        assert!(!forbids(&["apps"], &[], true, "apps"));
        assert!(!forbids(&["apps"], &[("team", "b")], false, "other"));
        assert!(!forbids(&["*"], &[], false, "apps"));
        assert!(forbids(&["*", "apps"], &[], false, "apps"));
        for system in ["kube-system", "podid-system"] {
            assert!(!forbids(&[system], &[], false, system), "{system}");
        }
    }

    #[test]
    fn what_the_class_excepts_is_left_alone() {
        let mut class = class();
        class.limits.namespaces = ["apps".to_owned(), "agents".to_owned()].into();
        class.neighbours = Some(Neighbours {
            rule: NetRaw::Ignore,
            scope: NeighbourScope::Namespaces,
            except_namespaces: ["agents".to_owned()].into(),
            except_nodes: [("pool".to_owned(), "batch".to_owned())].into(),
        });
        let forbids = |namespace, pool: &str| {
            let pod = Neighbour {
                namespace,
                namespace_labels: &BTreeMap::new(),
                node_selector: &[("pool".to_owned(), pool.to_owned())].into(),
            };
            class.forbids_host_namespaces(&pod, "podid-system")
        };
        assert!(forbids("apps", "web"));
        assert!(!forbids("apps", "batch"));
        assert!(!forbids("agents", "web"));
    }
}
