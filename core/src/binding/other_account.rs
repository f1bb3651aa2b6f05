//! A binding that selects a pod and does not take its service account, with reason and message of the Event on the pod.

use serde::Serialize;

use crate::binding::bound::{Binding, Pod};

/// A binding that would give a pod an identity if the pod ran as another service account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherAccount {
    #[allow(missing_docs, reason = "the name is enough")]
    pub binding: Binding,
    /// As which the pod runs.
    pub service_account: String,
}

impl OtherAccount {
    /// Reason of the Event, and of the refusal of a token.
    pub const REASON: &'static str = "ServiceAccountNotBound";

    /// Of a binding that [does not take the pod's account](crate::binding::BoundIdentities::narrowed).
    #[must_use]
    pub fn of(binding: &Binding, pod: &Pod) -> Self {
        Self {
            binding: binding.clone(),
            service_account: pod.service_account.clone(),
        }
    }

    /// Message of the Event: which binding, which account, and what to do. It does not say which accounts the binding
    /// takes: a binding may reach other namespaces, where anybody could give an account that name.
    #[must_use]
    pub fn message(&self) -> String {
        let Self {
            binding,
            service_account,
        } = self;
        let (namespace, name) = (&binding.namespace, &binding.name);
        let list = match binding.profile() {
            Some(profile) => format!("binding.serviceAccounts of PodIdentityProfile {profile}"),
            None => "its annotation podid.dev/service-accounts".to_owned(),
        };
        format!(
            "AzureIdentityBinding {namespace}/{name} selects the pod by its label, but does not take its service \
             account {service_account}; run the pod as a service account in {list}, or have {service_account} added \
             there"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::Origin;
    use crate::testing::{binding, pod};

    #[test]
    fn the_message_names_where_accounts_are_listed_and_none_that_is() {
        let by_hand = Binding {
            service_accounts: ["secret".to_owned()].into(),
            ..binding("b", "id")
        };
        let of_profile = Binding {
            origin: Origin::Profile,
            ..by_hand.clone()
        };
        for (binding, list) in [
            (&by_hand, "annotation podid.dev/service-accounts"),
            (
                &of_profile,
                "binding.serviceAccounts of PodIdentityProfile apps/b",
            ),
        ] {
            let message = OtherAccount::of(binding, &pod()).message();
            for words in [
                "AzureIdentityBinding apps/b",
                "service account default;",
                list,
            ] {
                assert!(message.contains(words), "{words:?} is not in: {message}");
            }
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
