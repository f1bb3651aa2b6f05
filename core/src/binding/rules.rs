//! What the cluster's administrator says about who is served, for operator and node daemon alike.

use std::str::FromStr;

use serde::Serialize;

use crate::net_raw::NetRaw;

/// What the cluster's administrator says about who is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ServingRules {
    /// Which namespaces the pods of a binding may be in.
    pub scope: BindingScope,
    /// Which AzureIdentities that were written by hand are served.
    pub legacy: LegacyIdentities,
    /// What is asked of the pods that use those (`--legacy-net-raw`).
    pub legacy_net_raw: NetRaw,
}

/// As the predecessor did.
impl Default for ServingRules {
    fn default() -> Self {
        Self {
            scope: BindingScope::default(),
            legacy: LegacyIdentities::default(),
            legacy_net_raw: NetRaw::Ignore,
        }
    }
}

impl ServingRules {
    /// Which namespaces the pods of a binding may be in, by all that is said. A class admits the namespace of an
    /// AzureIdentity that was written by hand, and of no pod: so such an object serves no other namespace.
    #[must_use]
    pub fn reach(self) -> BindingScope {
        match self.legacy {
            LegacyIdentities::WithinClass => BindingScope::Namespace,
            LegacyIdentities::Any | LegacyIdentities::None => self.scope,
        }
    }
}

/// Which namespaces the pods of a binding may be in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum BindingScope {
    /// Pods of any namespace, unless the identity is marked as namespaced.
    #[default]
    Cluster,
    /// Pods of the identity's own namespace only (`--force-namespaced`).
    Namespace,
}

/// Which AzureIdentities that were written by hand are served (`--legacy-identities`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum LegacyIdentities {
    /// All of them.
    #[default]
    Any,
    /// Those that name a class, whose limits allow their namespace and their identity; to pods of their namespace.
    WithinClass,
    /// None: only those that podid makes for profiles.
    None,
}

impl FromStr for LegacyIdentities {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Any" => Ok(Self::Any),
            "WithinClass" => Ok(Self::WithinClass),
            "None" => Ok(Self::None),
            _ => Err("it is Any, WithinClass or None".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_it_is_written() {
        for (text, value) in [
            ("Any", LegacyIdentities::Any),
            ("WithinClass", LegacyIdentities::WithinClass),
            ("None", LegacyIdentities::None),
        ] {
            assert_eq!(text.parse(), Ok(value));
        }
        assert!("none".parse::<LegacyIdentities>().is_err());
        for rule in [NetRaw::Ignore, NetRaw::Audit, NetRaw::Enforce] {
            assert_eq!(format!("{rule:?}").parse(), Ok(rule));
        }
        assert!("enforce".parse::<NetRaw>().is_err());
    }

    #[test]
    fn within_a_class_no_binding_reaches_another_namespace() {
        let reach = |scope, legacy| {
            let rules = ServingRules {
                scope,
                legacy,
                ..ServingRules::default()
            };
            rules.reach()
        };
        use BindingScope::{Cluster, Namespace};
        use LegacyIdentities::{Any, None, WithinClass};
        assert_eq!(reach(Cluster, WithinClass), Namespace);
        for legacy in [Any, None] {
            assert_eq!(reach(Cluster, legacy), Cluster);
            assert_eq!(reach(Namespace, legacy), Namespace);
        }
    }
}
