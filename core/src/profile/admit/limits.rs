use crate::arm::ManagedIdentityId;
use crate::class::{AccessLimit, Class, FixedBy, Limits, Violation};
use crate::net_raw::NetRaw;
use crate::profile::{Access, CreationPolicy, Profile};
use crate::role::Role;
use crate::scope::Scope;

/// How many of the names that a class gives a refusal shows.
const SHOWN_NAMES: usize = 5;

/// Everything a profile asks for beyond what its class allows, in the order of its fields.
pub(super) fn violations(profile: &Profile, class: &Class) -> Vec<Violation> {
    let check = Check { profile, class };
    let mut found = Vec::new();
    found.extend(check.namespace());
    found.extend(check.identity());
    found.extend(check.tags());
    for (index, access) in profile.access.iter().enumerate() {
        found.extend(check.access(index, access));
    }
    found.extend(check.backend());
    found.extend(check.net_raw());
    found
}

/// What of a profile its class does not allow, and another class might.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::profile) struct Excess {
    /// Its namespace.
    pub(in crate::profile) namespace: bool,
    /// The identity that it names.
    pub(in crate::profile) identity: bool,
    /// Rights that it asks for.
    pub(in crate::profile) access: Vec<Access>,
    /// Its backend.
    pub(in crate::profile) backend: bool,
    /// Its `netRaw`.
    pub(in crate::profile) net_raw: bool,
}

/// See [`Excess`].
pub(in crate::profile) fn excess(profile: &Profile, class: &Class) -> Excess {
    let check = Check { profile, class };
    let by_class = |found: Option<Violation>| found.is_some_and(|it| it.is_of_class());
    let access = profile.access.iter().enumerate();
    let access = access.filter(|(index, access)| by_class(check.access(*index, access)));
    Excess {
        namespace: by_class(check.namespace()),
        identity: by_class(check.identity()),
        access: access.map(|(_, access)| access.clone()).collect(),
        backend: by_class(check.backend()),
        net_raw: by_class(check.net_raw()),
    }
}

struct Check<'a> {
    profile: &'a Profile,
    class: &'a Class,
}

impl Check<'_> {
    fn limits(&self) -> &Limits {
        &self.class.limits
    }

    fn wrong(&self, field: &str, value: &str, why: &str) -> Violation {
        let (field, value, why) = (field.to_owned(), value.to_owned(), why.to_owned());
        Violation {
            field,
            value,
            why,
            fixed_by: FixedBy::Author,
        }
    }

    fn beyond(&self, field: &str, value: &str, why: &str, limit: &str) -> Violation {
        let class = self.class.name.clone();
        let fixed_by = FixedBy::Class {
            class,
            field: format!("spec.{limit}"),
        };
        Violation {
            fixed_by,
            ..self.wrong(field, value, why)
        }
    }

    fn namespace(&self) -> Option<Violation> {
        let (namespace, labels) = (&self.profile.namespace, &self.profile.namespace_labels);
        let why = "is not a namespace that may use this class";
        (!self.class.admits_namespace(namespace, labels))
            .then(|| self.beyond("metadata.namespace", namespace, why, "limits.namespaces"))
    }

    fn identity(&self) -> Option<Violation> {
        let id = self.profile.identity_id.as_ref()?;
        let field = "spec.identity.resourceId";
        if ManagedIdentityId::parse(id).is_none() {
            let why = "is not the resource id of a user-assigned identity";
            return Some(self.wrong(field, id.as_str(), why));
        }
        if self.profile.creation_policy != CreationPolicy::Adopt {
            let why = "names an existing identity, which creationPolicy does not let adopt";
            return Some(self.wrong(field, id.as_str(), why));
        }
        let why = "lies in a resource group whose identities may not be adopted";
        (!self.class.covers_identity(id))
            .then(|| self.beyond(field, id.as_str(), why, "limits.identityGroups"))
    }

    fn tags(&self) -> Option<Violation> {
        let ours = |key: &&String| key.to_ascii_lowercase().starts_with("podid-");
        let key = self.profile.tags.keys().find(ours)?;
        Some(self.wrong("spec.identity.tags", key, "is a tag that podid sets itself"))
    }

    fn access(&self, index: usize, access: &Access) -> Option<Violation> {
        let (role, written) = (Role::parse(&access.role), access.scope.to_string());
        let field = |name: &str| format!("spec.access[{index}].{name}");
        let Some(scope) = self.class.scope_id(&access.scope) else {
            let why = format!(
                "is not a scope that its class names (it names {})",
                self.names()
            );
            return Some(self.beyond(&field("scope"), &written, &why, "scopes"));
        };
        let is = match &access.scope {
            Scope::Id(_) => "is".to_owned(),
            Scope::Name(_) => format!("names {scope}, which is"),
        };
        if scope.subscription().is_none() || !scope.is_plain() {
            let why = format!("{is} not an ARM id that starts with /subscriptions/…");
            return Some(match &access.scope {
                Scope::Id(_) => self.wrong(&field("scope"), &written, &why),
                Scope::Name(_) => self.beyond(&field("scope"), &written, &why, "scopes"),
            });
        }
        let listed: Vec<&AccessLimit> = self
            .limits()
            .access
            .iter()
            .filter(|limit| allows_role(limit, &role))
            .collect();
        if listed.is_empty() {
            let why = match role.is_privileged() {
                true => "gives the right to give rights, and the class does not list it by name",
                false => "is not a role that a profile of this class may ask for",
            };
            return Some(self.beyond(&field("role"), &access.role, why, "limits.access"));
        }
        let scopes = listed.iter().flat_map(|limit| &limit.scopes);
        let why = format!("{is} not at or below a scope where {role} may be asked for");
        (!scopes.into_iter().any(|limit| limit.covers_plainly(scope)))
            .then(|| self.beyond(&field("scope"), &written, &why, "limits.access"))
    }

    /// The first of the names that the class gives to scopes.
    fn names(&self) -> String {
        let scopes = &self.class.scopes;
        let names = scopes.iter().take(SHOWN_NAMES);
        let names: Vec<&str> = names.map(|scope| scope.name.as_str()).collect();
        match scopes.len() {
            0 => "none".to_owned(),
            count if count > SHOWN_NAMES => format!("{}, …", names.join(", ")),
            _ => names.join(", "),
        }
    }

    fn backend(&self) -> Option<Violation> {
        let backend = self.profile.backend?;
        let allowed =
            backend == self.class.default_backend || self.limits().backends.contains(&backend);
        let why = "is not a backend that a profile of this class may choose";
        (!allowed).then(|| {
            self.beyond(
                "spec.backend",
                &format!("{backend:?}"),
                why,
                "limits.backends",
            )
        })
    }

    fn net_raw(&self) -> Option<Violation> {
        let net_raw = self.profile.net_raw;
        let why = "loosens the NET_RAW rule, which this class does not let profiles do";
        (net_raw != NetRaw::Enforce && !self.limits().allow_net_raw).then(|| {
            self.beyond(
                "spec.netRaw",
                &format!("{net_raw:?}"),
                why,
                "limits.allowNetRaw",
            )
        })
    }
}

/// Whether a limit lists this role. A role that gives the right to grant roles must be listed by its name,
/// so that a GUID which readers do not recognise cannot give away the subscription.
pub(in crate::profile) fn allows_role(limit: &AccessLimit, role: &Role) -> bool {
    let by_name = || {
        let listed = limit.role.trim();
        role.built_in_name()
            .is_some_and(|name| name.eq_ignore_ascii_case(listed))
    };
    Role::parse(&limit.role).is(role) && (!role.is_privileged() || by_name())
}
