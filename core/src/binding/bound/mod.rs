//! Which identities a pod is bound to. One rule, run by the operator (to assign identities to
//! VMs and scale sets) and by the node daemon (to answer a pod), so that the two never disagree.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::arm::ArmId;
use crate::binding::rules::{BindingScope, ServingRules};
use crate::binding::unserved::Unserved;
use crate::net_raw::{Breach, NetRaw};
use crate::object_key::ObjectKey;
use crate::owner::{self, Origin};
use crate::service_principal::ServicePrincipal;

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
    /// In which ways the pod breaks the rule of `netRaw: Enforce`.
    pub breaches: BTreeSet<Breach>,
    /// Set when no pod of its kind is served.
    pub unserved: Option<Unserved>,
}

/// An AzureIdentity, as far as binding needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AzureIdentity {
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// What kind of identity it is.
    pub kind: AzureIdentityType,
    /// Client id, as written.
    pub client_id: String,
    /// ARM id of a managed identity, as written; empty for a service principal.
    pub resource_id: ArmId,
    /// Object id of its service principal; only the AzureIdentity of a profile contains it.
    pub principal_id: Option<String>,
    /// Whether only pods of the same namespace may use it.
    pub namespaced: bool,
    /// Where the object comes from.
    pub origin: Origin,
    /// What its profile asks of the pods that use it. The cluster's [rules](ServingRules) say it of hand-written ones.
    pub net_raw: NetRaw,
    /// The class within whose limits a hand-written object says it is.
    pub class: Option<String>,
}

impl AzureIdentity {
    /// Namespace and name of the object, as `payments/checkout`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The profile that the object belongs to; `None` when it was written by hand.
    #[must_use]
    pub fn profile(&self) -> Option<ObjectKey> {
        owner::profile_of(self.origin, &self.namespace, &self.name)
    }

    /// What is asked of the pods that use it. A profile makes no service principal: one that says that it is a profile's
    /// was written by hand.
    #[must_use]
    pub fn asked_of_pods(&self, rules: ServingRules) -> NetRaw {
        match (self.origin, &self.kind) {
            (Origin::Profile, AzureIdentityType::Managed) => self.net_raw,
            _ => rules.legacy_net_raw,
        }
    }
}

/// Kind of an AzureIdentity (`spec.type`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum AzureIdentityType {
    /// 0: a user-assigned managed identity.
    Managed,
    /// 1 and 2: a service principal.
    ServicePrincipal(ServicePrincipal),
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
    /// Where the object comes from.
    pub origin: Origin,
}

impl Binding {
    /// The profile that the object belongs to; `None` when it was written by hand.
    #[must_use]
    pub fn profile(&self) -> Option<ObjectKey> {
        owner::profile_of(self.origin, &self.namespace, &self.name)
    }

    /// Whether this binding gives `pod` the use of `identity`, other bindings aside. Pods of another namespace get a
    /// service principal never: the class and the Role that allow it speak of one namespace.
    #[must_use]
    pub fn binds(&self, pod: &Pod, identity: &AzureIdentity, scope: BindingScope) -> bool {
        self.offers(pod, identity, scope) && self.takes_account_of(pod)
    }

    /// The same, whatever service account the pod runs as.
    fn offers(&self, pod: &Pod, identity: &AzureIdentity, scope: BindingScope) -> bool {
        let elsewhere = scope == BindingScope::Cluster
            && !identity.namespaced
            && identity.kind == AzureIdentityType::Managed;
        let reached = elsewhere || pod.namespace == identity.namespace;
        self.names(identity) && self.selects(pod) && reached
    }

    fn names(&self, identity: &AzureIdentity) -> bool {
        self.namespace == identity.namespace && self.identity == identity.name
    }

    fn selects(&self, pod: &Pod) -> bool {
        !self.selector.is_empty() && pod.selector.as_ref() == Some(&self.selector)
    }

    fn takes_account_of(&self, pod: &Pod) -> bool {
        accepts_service_account(&self.service_accounts, pod)
    }
}

/// Whether a binding narrowed to these service accounts takes the pod's; none takes any.
#[must_use]
pub fn accepts_service_account(service_accounts: &BTreeSet<String>, pod: &Pod) -> bool {
    service_accounts.is_empty() || service_accounts.contains(&pod.service_account)
}

/// The identities that the bindings of a cluster give to one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundIdentities<'a> {
    /// The identities the pod is bound to, each once, with the first binding by namespace and name
    /// that gives it; in the order of the identities' namespace and name.
    pub uses: Vec<(&'a AzureIdentity, &'a Binding)>,
    /// Bindings that select the pod and name an AzureIdentity that does not exist, in order.
    pub dangling: Vec<&'a Binding>,
    /// Bindings that do not take the pod's service account, in order; only where nothing else binds the pod, because
    /// bindings may share a label and tell their pods apart by the account.
    pub narrowed: Vec<&'a Binding>,
    rules: ServingRules,
}

impl<'a> BoundIdentities<'a> {
    /// Works out what `pod` is bound to.
    ///
    /// If a profile of the pod's own namespace selects the pod, bindings of other namespaces are ignored.
    /// Otherwise anybody could give the pod a second identity, and its requests that name no identity
    /// would be refused.
    #[must_use]
    pub fn of(
        pod: &Pod,
        bindings: impl IntoIterator<Item = &'a Binding>,
        identities: impl IntoIterator<Item = &'a AzureIdentity>,
        rules: ServingRules,
    ) -> Self {
        let scope = rules.reach();
        let own = |binding: &Binding| binding.namespace == pod.namespace;
        let selecting = bindings.into_iter().filter(|binding| binding.selects(pod));
        let mut selecting: Vec<&Binding> = selecting.collect();
        if selecting
            .iter()
            .any(|binding| own(binding) && binding.origin == Origin::Profile)
        {
            selecting.retain(|binding| own(binding));
        }
        selecting.sort();
        let mut identities: Vec<&AzureIdentity> = identities.into_iter().collect();
        identities.sort();
        identities.dedup();
        let binding_of = |identity: &&'a AzureIdentity| {
            let mut all = selecting.iter();
            let found = all.find(|binding| binding.binds(pod, identity, scope));
            found.map(|binding| (*identity, *binding))
        };
        let exists = |binding: &Binding| identities.iter().any(|one| binding.names(one));
        let dangling = selecting.iter().filter(|binding| {
            let reached = own(binding) || scope == BindingScope::Cluster;
            reached && binding.takes_account_of(pod) && !exists(binding)
        });
        let uses: Vec<_> = identities.iter().filter_map(binding_of).collect();
        let narrowed = selecting.iter().filter(|binding| {
            let mut all = identities.iter();
            uses.is_empty() && all.any(|identity| binding.offers(pod, identity, scope))
        });
        Self {
            dangling: dangling.copied().collect(),
            narrowed: narrowed.copied().collect(),
            uses,
            rules,
        }
    }

    /// In which ways `pod` breaks the NET_RAW rule of an identity it is bound to; `None` when the rule does
    /// not apply to it, or it keeps the rule. One identity with `Enforce` applies the rule for all of
    /// them: a pod that can send packets in the name of others must not have any identity.
    #[must_use]
    pub fn breaches<'p>(&self, pod: &'p Pod) -> Option<&'p BTreeSet<Breach>> {
        let strict = |(identity, _): &(&AzureIdentity, &Binding)| {
            identity.asked_of_pods(self.rules) == NetRaw::Enforce
        };
        let held = !pod.breaches.is_empty() && self.uses.iter().any(strict);
        held.then_some(&pod.breaches)
    }
}

#[cfg(test)]
mod tests;
