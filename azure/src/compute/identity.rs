use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::IdentityId;

/// Which kinds of identity a VM or scale set has. ARM writes both as one word list,
/// `identity.type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ResourceIdentityType {
    /// It has a system-assigned identity.
    pub system_assigned: bool,
    /// It has user-assigned identities.
    pub user_assigned: bool,
}

impl ResourceIdentityType {
    /// Reads Azure's word list, whatever its letter case and blanks. Unknown words are ignored.
    pub fn parse(text: &str) -> Self {
        let has = |word: &str| {
            text.split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(word))
        };
        Self {
            system_assigned: has("SystemAssigned"),
            user_assigned: has("UserAssigned"),
        }
    }

    /// The word list as Azure writes it.
    pub fn as_str(self) -> &'static str {
        match (self.system_assigned, self.user_assigned) {
            (true, true) => "SystemAssigned, UserAssigned",
            (true, false) => "SystemAssigned",
            (false, true) => "UserAssigned",
            (false, false) => "None",
        }
    }
}

/// The identities of one VM or scale set, and what is needed to change them.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ComputeIdentity {
    /// Which kinds it has.
    pub kind: ResourceIdentityType,
    /// Object id of the system-assigned identity, if it has one.
    pub system_principal_id: Option<String>,
    /// The user-assigned identities on it.
    pub user_assigned: BTreeSet<IdentityId>,
    /// Their client ids, as far as Azure shows them. One that was deleted and made again under the
    /// same id has another here than the identity itself.
    pub client_ids: BTreeMap<IdentityId, String>,
    /// Version of the description, for `if_match`. Absent on old API versions.
    pub etag: Option<String>,
    /// `Succeeded`, `Updating`, `Deleting`, `Failed`, … Do not patch while it is `Deleting`.
    pub provisioning_state: Option<String>,
}

/// A change of the user-assigned identities of a VM or scale set. A system-assigned identity is never
/// touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityPatch {
    kind: ResourceIdentityType,
    add: BTreeSet<IdentityId>,
    remove: BTreeSet<IdentityId>,
}

impl IdentityPatch {
    /// The patch that adds and removes these where `current` is the state.
    ///
    /// An identity named in both sets is added.
    pub fn new(
        current: &ComputeIdentity,
        add: impl IntoIterator<Item = IdentityId>,
        remove: impl IntoIterator<Item = IdentityId>,
    ) -> Self {
        let add: BTreeSet<_> = add.into_iter().collect();
        let remove: BTreeSet<_> = remove.into_iter().filter(|id| !add.contains(id)).collect();
        let some_stay = current.user_assigned.iter().any(|id| !remove.contains(id));
        let kind = ResourceIdentityType {
            system_assigned: current.kind.system_assigned,
            user_assigned: some_stay || !add.is_empty(),
        };
        Self { kind, add, remove }
    }

    /// The kinds that are there after the patch.
    pub fn kind(&self) -> ResourceIdentityType {
        self.kind
    }

    /// What is added.
    pub fn add(&self) -> &BTreeSet<IdentityId> {
        &self.add
    }

    /// What is removed.
    pub fn remove(&self) -> &BTreeSet<IdentityId> {
        &self.remove
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// The request body: `{}` adds, `null` removes.
    ///
    /// A type without `UserAssigned` must not carry the map (Azure refuses it) and drops every
    /// user-assigned identity by itself, which is what removing the last one means.
    pub(super) fn to_body(&self) -> Value {
        let mut identity = json!({ "type": self.kind.as_str() });
        if self.kind.user_assigned {
            let adds = self.add.iter().map(|id| (id.to_string(), json!({})));
            let removes = self.remove.iter().map(|id| (id.to_string(), Value::Null));
            identity["userAssignedIdentities"] = adds.chain(removes).collect::<Map<_, _>>().into();
        }
        json!({ "identity": identity })
    }
}
