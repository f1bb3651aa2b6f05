//! Whether a policy of podid's manifests holds in a cluster.

use serde::Serialize;
use uuid::Uuid;

/// A ValidatingAdmissionPolicy of podid's; its binding has the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ShippedPolicy {
    /// Its name.
    pub name: &'static str,
    /// One of these its binding must have among its `validationActions`.
    pub actions: &'static [&'static str],
    /// What is so without it.
    pub without: &'static str,
    /// Digest of what it says, which `podid_crds::policy_digest` computes.
    pub says: Uuid,
}

/// A policy of the cluster and its binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledPolicy {
    /// Digest of what the policy says.
    pub says: Uuid,
    /// Its binding.
    pub binding: PolicyBinding,
}

/// What a binding says, as far as it decides whether its policy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyBinding {
    /// `policyName`
    pub policy: String,
    /// `validationActions`
    pub actions: Vec<String>,
    /// Whether `matchResources` leaves objects out, or `paramRef` parameters.
    pub is_narrowed: bool,
}

impl ShippedPolicy {
    /// The state of the policy, given what is installed under its name; `None` where it or its binding is not there.
    #[must_use]
    pub fn state(&self, installed: Option<&InstalledPolicy>) -> PolicyState {
        let Some(installed) = installed else {
            return PolicyState::Missing(self.name);
        };
        let binding = &installed.binding;
        let acts = |action: &&str| binding.actions.iter().any(|it| it == action);
        let binds =
            binding.policy == self.name && self.actions.iter().any(acts) && !binding.is_narrowed;
        match (binds, installed.says == self.says) {
            (false, _) => PolicyState::Changed(self.name, PolicyPart::Binding),
            (true, false) => PolicyState::Changed(self.name, PolicyPart::Rule),
            (true, true) => PolicyState::Installed(self.name),
        }
    }
}

/// What of a policy was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum PolicyPart {
    /// Its binding, which holds nobody any more, or only some.
    Binding,
    /// What it says.
    Rule,
}

/// Whether a policy holds somebody to its rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum PolicyState {
    /// The ValidatingAdmissionPolicy of this name is installed and bound.
    Installed(&'static str),
    /// The ValidatingAdmissionPolicy of this name, or its binding, is not installed.
    Missing(&'static str),
    /// This part of the policy of this name is not as podid's manifests have it.
    Changed(&'static str, PolicyPart),
    /// None is needed.
    NotNeeded,
    /// It could not be read: what failed, on what and why.
    NotRead(String),
}
