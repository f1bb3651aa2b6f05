//! Whether AzureIdentities that were written by hand are served.
//!
//! Whoever may write one names in it any identity that podid can put on a VM or scale set. By default that is so, as it
//! was with the predecessor. A cluster in which many teams may write them holds them to a class, or serves none.

use std::collections::{BTreeMap, BTreeSet};

use crate::arm::ManagedIdentityId;
use crate::assigned_identity::AssignmentFailure;
use crate::binding::bound::{AzureIdentity, AzureIdentityType};
use crate::binding::rules::LegacyIdentities;
use crate::class::Class;
use crate::net_raw::{self, Breach, NetRaw};
use crate::object_key::ObjectKey;
use crate::owner::Origin;

/// What an object that was written by hand is compared with.
#[derive(Clone, Copy, Debug)]
pub struct HandWrittenLimits<'a> {
    /// Which such objects are served.
    pub served: LegacyIdentities,
    /// The class that the object names, if there is one of that name.
    pub class: Option<&'a Class>,
    /// Labels of the object's namespace.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// A profile of another namespace that has the identity in its status, and whose class does not let hand-written
    /// objects serve it.
    pub used_by: Option<&'a ObjectKey>,
    /// What is asked of the pods that use such objects.
    pub net_raw: NetRaw,
    /// In which ways the pod breaks that rule for which the object is to be used.
    pub breaches: &'a BTreeSet<Breach>,
}

/// Reasons that podid has to refuse an object that was written by hand.
pub(super) const NONE_SERVED: &str = "LegacyIdentitiesNotServed";
pub(super) const BEYOND_CLASS: &str = "NotAllowedByClass";
pub(super) const POD_BREAKS_RULE: &str = "BreaksNetRawRule";

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();
static NO_BREACHES: BTreeSet<Breach> = BTreeSet::new();

impl HandWrittenLimits<'static> {
    /// No limits: all are served.
    pub const ANY: Self = Self {
        served: LegacyIdentities::Any,
        class: None,
        namespace_labels: &NO_LABELS,
        used_by: None,
        net_raw: NetRaw::Ignore,
        breaches: &NO_BREACHES,
    };
}

impl HandWrittenLimits<'_> {
    /// Why an object is not served if it was written by hand; `None` when it may be.
    #[must_use]
    pub fn refusal(&self, identity: &AzureIdentity) -> Option<AssignmentFailure> {
        let of_object = match self.served {
            LegacyIdentities::Any => None,
            LegacyIdentities::None => Some((NONE_SERVED, NONE_TEXT.to_owned())),
            LegacyIdentities::WithinClass => {
                self.beyond_class(identity).map(|why| (BEYOND_CLASS, why))
            }
        };
        let (reason, why) = of_object.or_else(|| self.pod_breaks_rule())?;
        let name = identity.full_name();
        Some(AssignmentFailure {
            reason: reason.to_owned(),
            message: format!("AzureIdentity {name} was written by hand, and {why}"),
        })
    }

    /// Pods of what says that it was written by hand are refused before; this is for what says that it is a profile's,
    /// and is not.
    fn pod_breaks_rule(&self) -> Option<(&'static str, String)> {
        let broken = self.net_raw == NetRaw::Enforce && !self.breaches.is_empty();
        broken.then(|| {
            let why = format!(
                "this cluster asks its pods to drop NET_RAW (--legacy-net-raw Enforce), but {}; in the pod's \
                 template, {}",
                net_raw::describe(self.breaches),
                net_raw::remedy(self.breaches)
            );
            (POD_BREAKS_RULE, why)
        })
    }

    fn beyond_class(&self, identity: &AzureIdentity) -> Option<String> {
        let Some(name) = &identity.class else {
            return Some("names no class; name one in its annotation podid.dev/class".to_owned());
        };
        let Some(class) = self.class.filter(|class| class.name == *name) else {
            return Some(format!("its class {name} does not exist"));
        };
        if identity.kind != AzureIdentityType::Managed {
            return Some(
                "is a service principal; those are served only with --legacy-identities Any"
                    .to_owned(),
            );
        }
        if !class.admits_namespace(&identity.namespace, self.namespace_labels) {
            let namespace = &identity.namespace;
            return Some(format!(
                "{namespace:?} is not a namespace that may use class {name}; ask its owner to allow it in \
                 spec.limits.namespaces"
            ));
        }
        let is_managed = ManagedIdentityId::parse(&identity.resource_id).is_some();
        let is_covered = is_managed && class.covers_identity(&identity.resource_id);
        let id = &identity.resource_id;
        if !is_covered {
            return Some(format!(
                "{id} lies in no resource group whose identities class {name} lets adopt; ask its owner to \
                 allow it in spec.limits.identityGroups"
            ));
        }
        self.used_by.map(|profile| {
            format!(
                "profile {profile} of another namespace uses {id}; name another identity, or ask the owner of the \
                 class of that profile to set spec.limits.allowHandWritten"
            )
        })
    }
}

const NONE_TEXT: &str = "this cluster serves only those of PodIdentityProfiles (--legacy-identities None); write a \
    PodIdentityProfile that adopts the identity";

impl LegacyIdentities {
    /// Whether a node daemon must not serve this AzureIdentity whatever was assigned. A managed identity within a class
    /// it knows by the operator's assignment; nobody assigns a service principal.
    #[must_use]
    pub fn refuses_on_nodes(self, identity: &AzureIdentity) -> bool {
        let is_managed = identity.kind == AzureIdentityType::Managed;
        match self {
            Self::Any => false,
            Self::WithinClass => !is_managed,
            Self::None => !is_managed || identity.origin == Origin::HandWritten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::ArmId;
    use crate::profile::admit::tests::class;
    use crate::testing::{identity, principal};

    fn of(group: &str, named: Option<&str>) -> AzureIdentity {
        let id = format!(
            "/subscriptions/s/resourceGroups/{group}/providers/{}/i",
            crate::arm::IDENTITY_TYPE
        );
        AzureIdentity {
            namespace: "shop".into(),
            class: named.map(str::to_owned),
            ..identity("i", AzureIdentityType::Managed, ArmId::new(id))
        }
    }

    fn reason(served: LegacyIdentities, identity: &AzureIdentity) -> Option<String> {
        let class = class();
        let limits = HandWrittenLimits {
            served,
            class: Some(&class),
            ..HandWrittenLimits::ANY
        };
        limits.refusal(identity).map(|failure| failure.message)
    }

    #[test]
    fn any_serves_all_and_none_serves_none() {
        let within = of("identities", Some("prod"));
        assert_eq!(reason(LegacyIdentities::Any, &of("theirs", None)), None);
        let refused = reason(LegacyIdentities::None, &within).unwrap();
        assert!(
            refused.contains("PodIdentityProfile that adopts"),
            "{refused}"
        );
    }

    #[test]
    fn within_a_class_is_what_a_profile_of_that_class_could_adopt() {
        let reason = |identity: &AzureIdentity| reason(LegacyIdentities::WithinClass, identity);
        assert_eq!(reason(&of("IDENTITIES", Some("prod"))), None);
        let elsewhere = AzureIdentity {
            namespace: "other".into(),
            ..of("identities", Some("prod"))
        };
        let principal = AzureIdentity {
            kind: AzureIdentityType::ServicePrincipal(principal()),
            ..of("identities", Some("prod"))
        };
        let odd = AzureIdentity {
            resource_id: ArmId::new("/subscriptions/s/resourceGroups/identities/../theirs"),
            ..of("identities", Some("prod"))
        };
        for (identity, words) in [
            (of("identities", None), "names no class"),
            (of("identities", Some("dev")), "does not exist"),
            (of("theirs", Some("prod")), "spec.limits.identityGroups"),
            (odd, "spec.limits.identityGroups"),
            (elsewhere, "spec.limits.namespaces"),
            (principal, "service principal"),
        ] {
            let message = reason(&identity).expect(words);
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn what_a_profile_of_another_namespace_uses_is_not_within_the_class() {
        let (theirs, class) = (ObjectKey::new("blog", "web"), class());
        let limits = HandWrittenLimits {
            served: LegacyIdentities::WithinClass,
            class: Some(&class),
            used_by: Some(&theirs),
            ..HandWrittenLimits::ANY
        };
        let refused = limits.refusal(&of("identities", Some("prod")));
        let message = refused.expect("a refusal").message;
        assert!(
            message.contains("profile blog/web of another namespace"),
            "{message}"
        );
    }

    #[test]
    fn a_pod_that_breaks_the_rule_is_refused_what_was_written_by_hand() {
        let breaches = [Breach::KeepsNetRaw("app".into())].into();
        let refusal = |net_raw| {
            let limits = HandWrittenLimits {
                net_raw,
                breaches: &breaches,
                ..HandWrittenLimits::ANY
            };
            limits.refusal(&of("identities", None))
        };
        for lax in [NetRaw::Ignore, NetRaw::Audit] {
            assert_eq!(refusal(lax), None);
        }
        let refused = refusal(NetRaw::Enforce).expect("a refusal");
        assert_eq!(refused.reason, net_raw::reason(&breaches));
        let words =
            "container app does not drop NET_RAW; in the pod's template, add securityContext";
        assert!(refused.message.contains(words), "{}", refused.message);
    }

    #[test]
    fn a_node_refuses_by_itself_what_no_operator_assigns() {
        let by_hand = of("identities", None);
        let made = AzureIdentity {
            origin: Origin::Profile,
            ..by_hand.clone()
        };
        let principal = AzureIdentity {
            kind: AzureIdentityType::ServicePrincipal(principal()),
            ..made.clone()
        };
        for (served, refused) in [
            (LegacyIdentities::Any, [false, false, false]),
            (LegacyIdentities::WithinClass, [false, false, true]),
            (LegacyIdentities::None, [true, false, true]),
        ] {
            let found = [&by_hand, &made, &principal].map(|one| served.refuses_on_nodes(one));
            assert_eq!(found, refused, "{served:?}");
        }
    }
}
