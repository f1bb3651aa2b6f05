//! Whose pods a class keeps off the network of their node.

use super::neighbours::Neighbour;
use super::spec::Class;

impl Class {
    /// Whether the class lets no pod of this namespace use the network of its node, where it would ask the metadata
    /// service as the node does, past podid, and get every identity of the node. A class for all namespaces (`*`) says of
    /// none whose it is, and keeps nobody off. `own_namespace` is podid's. The policy `podid-host-network` states the same
    /// in CEL.
    #[must_use]
    pub fn forbids_host_network(&self, pod: &Neighbour<'_>, own_namespace: &str) -> bool {
        !self.limits.allow_host_network
            && !pod.is_of_the_system(own_namespace)
            && self.names_namespace(pod.namespace, pod.namespace_labels)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::profile::admit::tests::class;

    fn forbids(names: &[&str], labels: &[(&str, &str)], allows: bool, namespace: &str) -> bool {
        let mut class = class();
        class.limits.namespaces = names.iter().map(|&name| name.to_owned()).collect();
        let wanted = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
        class.limits.namespace_labels = Some(wanted);
        class.limits.allow_host_network = allows;
        let labels = labels.iter();
        let labels = labels.map(|&(key, value)| (key.to_owned(), value.to_owned()));
        let pod = Neighbour {
            namespace,
            namespace_labels: &labels.collect(),
            node_selector: &BTreeMap::new(),
        };
        class.forbids_host_network(&pod, "podid-system")
    }

    #[test]
    fn pods_of_namespaces_that_the_class_names_are_kept_off() {
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
}
