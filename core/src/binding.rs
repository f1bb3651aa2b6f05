//! Which identities a pod is bound to. One rule, run by the operator (to put identities on
//! machines) and by the node daemon (to answer a pod), so that the two never disagree.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::arm::ArmId;

/// A pod, as far as binding it to an identity needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pod {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub name: String,
    /// Uid of the pod.
    pub uid: String,
    /// Value of the label `aadpodidbinding`; `None` when the pod does not carry it.
    pub selector: Option<String>,
    /// Service account the pod runs as.
    pub service_account: String,
}

/// An AzureIdentity, as far as binding needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Identity {
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// What kind of identity it is.
    pub kind: IdentityKind,
    /// Client id, as written.
    pub client_id: String,
    /// ARM id of a managed identity, as written; empty for a service principal.
    pub resource_id: ArmId,
    /// Whether only pods of the same namespace may use it.
    pub namespaced: bool,
}

/// Kind of an AzureIdentity (`spec.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum IdentityKind {
    /// 0: a user-assigned managed identity.
    Managed,
    /// 1: a service principal with a secret.
    ServicePrincipalSecret,
    /// 2: a service principal with a certificate.
    ServicePrincipalCertificate,
}

impl IdentityKind {
    /// Reads `spec.type`; `None` for a number that stands for nothing.
    #[must_use]
    pub fn from_type(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Managed),
            1 => Some(Self::ServicePrincipalSecret),
            2 => Some(Self::ServicePrincipalCertificate),
            _ => None,
        }
    }
}

/// An AzureIdentityBinding, as far as binding needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Binding {
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Name of the AzureIdentity, in the binding's namespace.
    pub identity: String,
    /// Value of the pod label; empty matches nothing.
    pub selector: String,
    /// Service accounts that narrow the binding; empty: any.
    pub service_accounts: BTreeSet<String>,
}

/// How far an identity reaches beyond its namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Reach {
    /// Pods of any namespace, unless the identity is marked as namespaced.
    #[default]
    Cluster,
    /// Pods of the identity's own namespace only (`--force-namespaced`).
    Namespace,
}

impl Binding {
    /// Whether this binding gives `pod` the use of `identity`.
    #[must_use]
    pub fn binds(&self, pod: &Pod, identity: &Identity, reach: Reach) -> bool {
        let own_identity = self.namespace == identity.namespace && self.identity == identity.name;
        let selected = !self.selector.is_empty() && pod.selector.as_ref() == Some(&self.selector);
        let reached = pod.namespace == identity.namespace
            || (reach == Reach::Cluster && !identity.namespaced);
        let account = self.service_accounts.is_empty()
            || self.service_accounts.contains(&pod.service_account);
        own_identity && selected && reached && account
    }
}

/// The identities that `pod` is bound to, each once, in the order of namespace and name.
#[must_use]
pub fn identities_of<'a>(
    pod: &Pod,
    bindings: impl IntoIterator<Item = &'a Binding> + Clone,
    identities: impl IntoIterator<Item = &'a Identity>,
    reach: Reach,
) -> Vec<&'a Identity> {
    let mut bound: Vec<&Identity> = identities
        .into_iter()
        .filter(|identity| {
            bindings
                .clone()
                .into_iter()
                .any(|binding| binding.binds(pod, identity, reach))
        })
        .collect();
    bound.sort();
    bound.dedup();
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(namespace: &str, selector: Option<&str>) -> Pod {
        Pod {
            namespace: namespace.into(),
            name: "p".into(),
            uid: "u".into(),
            selector: selector.map(Into::into),
            service_account: "default".into(),
        }
    }

    fn identity(namespaced: bool) -> Identity {
        Identity {
            namespace: "a".into(),
            name: "i".into(),
            kind: IdentityKind::Managed,
            client_id: "c".into(),
            resource_id: "/x".into(),
            namespaced,
        }
    }

    fn binding(selector: &str) -> Binding {
        Binding {
            namespace: "a".into(),
            name: "b".into(),
            identity: "i".into(),
            selector: selector.into(),
            service_accounts: BTreeSet::new(),
        }
    }

    #[test]
    fn an_empty_selector_matches_no_pod() {
        for selector in [None, Some("")] {
            let pod = pod("a", selector);
            assert!(
                !binding("").binds(&pod, &identity(false), Reach::Cluster),
                "{selector:?}"
            );
        }
    }

    #[test]
    fn reach_follows_the_annotation_and_the_flag() {
        let (near, far) = (pod("a", Some("s")), pod("z", Some("s")));
        let table = [
            (&near, false, Reach::Cluster, true),
            (&far, false, Reach::Cluster, true),
            (&near, true, Reach::Cluster, true),
            (&far, true, Reach::Cluster, false),
            (&near, false, Reach::Namespace, true),
            (&far, false, Reach::Namespace, false),
        ];
        for (pod, namespaced, reach, binds) in table {
            assert_eq!(
                binding("s").binds(pod, &identity(namespaced), reach),
                binds,
                "{} {namespaced} {reach:?}",
                pod.namespace
            );
        }
    }

    #[test]
    fn service_accounts_narrow_a_binding() {
        let mut narrow = binding("s");
        narrow.service_accounts = ["app".to_owned()].into();
        let mut pod = pod("a", Some("s"));
        assert!(!narrow.binds(&pod, &identity(true), Reach::Cluster));
        pod.service_account = "app".into();
        assert!(narrow.binds(&pod, &identity(true), Reach::Cluster));
    }

    #[test]
    fn two_bindings_to_one_identity_bind_it_once() {
        let (one, two) = (
            binding("s"),
            Binding {
                name: "b2".into(),
                ..binding("s")
            },
        );
        let identity = identity(false);
        let bound = identities_of(
            &pod("a", Some("s")),
            [&one, &two],
            [&identity],
            Reach::Cluster,
        );
        assert_eq!(bound, [&identity]);
    }
}
