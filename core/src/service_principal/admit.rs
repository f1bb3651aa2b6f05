use std::fmt;

use serde::Serialize;

use super::authority::{Authority, PUBLIC_AUTHORITY};
use super::{CredentialKind, PrincipalLimit, ServicePrincipal};

/// Longest name of a tenant: that of a host.
const TENANT_MAX: usize = 253;

/// A service principal that may be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct AdmittedPrincipal {
    /// See [`CredentialKind`].
    pub credential: CredentialKind,
    /// Where its Secret may be sent.
    pub authority: Authority,
    /// The tenant of requests that name none, then the others.
    pub tenants: Vec<String>,
    /// Name of the Secret, in the AzureIdentity's namespace.
    pub secret: String,
}

/// A service principal in the tenant of one request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ChosenPrincipal {
    /// See [`CredentialKind`].
    pub credential: CredentialKind,
    /// Where its Secret may be sent.
    pub authority: Authority,
    /// The tenant that issues the token.
    pub tenant: String,
    /// Name of the Secret, in the AzureIdentity's namespace.
    pub secret: String,
}

/// Why a service principal may not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum PrincipalRefusal {
    /// A field of the AzureIdentity cannot be right.
    Malformed(&'static str),
    /// The Secret is of another namespace, this one.
    ForeignSecret(String),
    /// No class lets the namespace use service principals.
    NotAllowed,
    /// No class lets the namespace use this authority.
    ForeignAuthority(String),
}

/// Whether a service principal of an AzureIdentity in `namespace` may be used, by what the classes allow.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn admit<'a>(
    principal: &ServicePrincipal,
    namespace: &str,
    limits: impl IntoIterator<Item = &'a PrincipalLimit>,
) -> Result<AdmittedPrincipal, PrincipalRefusal> {
    let own = |secret: &str| secret.is_empty() || secret == namespace;
    if !own(&principal.secret_namespace) {
        let foreign = principal.secret_namespace.clone();
        return Err(PrincipalRefusal::ForeignSecret(foreign));
    }
    if !is_object_name(&principal.secret_name) {
        return Err(PrincipalRefusal::Malformed("spec.clientPassword.name"));
    }
    let tenants = tenants(principal)?;
    let mut limits = limits
        .into_iter()
        .filter(|limit| limit.covers(namespace))
        .peekable();
    if limits.peek().is_none() {
        return Err(PrincipalRefusal::NotAllowed);
    }
    let written = match principal.authority.trim() {
        "" => PUBLIC_AUTHORITY,
        written => written,
    };
    let authority =
        Authority::parse(written).ok_or(PrincipalRefusal::Malformed("spec.adEndpoint"))?;
    if !limits.any(|limit| limit.authorities.contains(&authority)) {
        return Err(PrincipalRefusal::ForeignAuthority(authority.to_string()));
    }
    Ok(AdmittedPrincipal {
        credential: principal.credential,
        authority,
        tenants,
        secret: principal.secret_name.clone(),
    })
}

impl AdmittedPrincipal {
    /// The principal in the tenant that a request names, without regard to letter case; `None` when the
    /// AzureIdentity does not have that tenant.
    #[must_use]
    pub fn choose(&self, asked: Option<&str>) -> Option<ChosenPrincipal> {
        let mut all = self.tenants.iter();
        let tenant = match asked {
            None => all.next(),
            Some(asked) => all.find(|known| known.eq_ignore_ascii_case(asked)),
        };
        Some(ChosenPrincipal {
            credential: self.credential,
            authority: self.authority.clone(),
            tenant: tenant?.clone(),
            secret: self.secret.clone(),
        })
    }
}

/// All tenants, each of which will be a segment of a path.
fn tenants(principal: &ServicePrincipal) -> Result<Vec<String>, PrincipalRefusal> {
    if !is_tenant(&principal.tenant_id) {
        return Err(PrincipalRefusal::Malformed("spec.tenantID"));
    }
    if !principal
        .auxiliary_tenant_ids
        .iter()
        .all(|id| is_tenant(id))
    {
        return Err(PrincipalRefusal::Malformed("spec.auxiliaryTenantIDs"));
    }
    let all = [&principal.tenant_id]
        .into_iter()
        .chain(&principal.auxiliary_tenant_ids);
    Ok(all.cloned().collect())
}

/// A GUID or the name of a domain.
fn is_tenant(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let first = text.bytes().next();
    text.len() <= TENANT_MAX
        && first.is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().all(inner)
}

/// A name that an object of Kubernetes can have. It will be a segment of a path.
fn is_object_name(text: &str) -> bool {
    let inner = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
    };
    let first = text.bytes().next();
    text.len() <= 253
        && first.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && text.bytes().all(inner)
}

impl PrincipalRefusal {
    /// A CamelCase word of a closed set.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "MalformedPrincipal",
            Self::ForeignSecret(_) => "ForeignSecret",
            Self::NotAllowed => "PrincipalNotAllowed",
            Self::ForeignAuthority(_) => "ForeignAuthority",
        }
    }
}

/// What is wrong, and what to do; it goes on after the name of the AzureIdentity.
impl fmt::Display for PrincipalRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(field) => write!(f, "{field} is missing or malformed; correct it"),
            Self::ForeignSecret(namespace) => write!(
                f,
                "spec.clientPassword.namespace is {namespace:?}; a Secret is read from the AzureIdentity's own \
                 namespace only"
            ),
            Self::NotAllowed => f.write_str(
                "no PodIdentityClass lets its namespace use service principals; name it in \
                 spec.limits.servicePrincipals of one",
            ),
            Self::ForeignAuthority(authority) => write!(
                f,
                "no PodIdentityClass lets its namespace send a Secret to {authority}; correct spec.adEndpoint, or \
                 name the authority in spec.limits.servicePrincipals of a class"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::principal;

    fn limit(namespaces: &[&str], authorities: &[&str]) -> PrincipalLimit {
        PrincipalLimit {
            namespaces: namespaces.iter().map(|one| (*one).to_owned()).collect(),
            authorities: authorities
                .iter()
                .filter_map(|one| Authority::parse(one))
                .collect(),
        }
    }

    fn public(namespace: &str) -> PrincipalLimit {
        limit(&[namespace], &[PUBLIC_AUTHORITY])
    }

    /// Weakness 18 of the predecessor: whoever could write an AzureIdentity could have the Secret of another namespace
    /// sent to any address.
    #[test]
    fn each_rule_refuses_with_a_word_and_what_to_correct() {
        type Change = fn(&mut ServicePrincipal);
        let table: [(Change, &str, &str); 9] = [
            (
                |p| p.secret_namespace = "b".into(),
                "ForeignSecret",
                "\"b\"",
            ),
            (
                |p| p.secret_name.clear(),
                "MalformedPrincipal",
                "clientPassword",
            ),
            (
                |p| p.secret_name = "../b/sp".into(),
                "MalformedPrincipal",
                "clientPassword",
            ),
            (|p| p.tenant_id.clear(), "MalformedPrincipal", "tenantID"),
            (
                |p| p.tenant_id = "x/../y".into(),
                "MalformedPrincipal",
                "tenantID",
            ),
            (
                |p| p.tenant_id = "..".into(),
                "MalformedPrincipal",
                "tenantID",
            ),
            (
                |p| p.auxiliary_tenant_ids.push("?".into()),
                "MalformedPrincipal",
                "auxiliary",
            ),
            (
                |p| p.authority = "http://x.example".into(),
                "MalformedPrincipal",
                "adEndpoint",
            ),
            (
                |p| p.authority = "https://evil.example".into(),
                "ForeignAuthority",
                "evil.example",
            ),
        ];
        for (change, word, part) in table {
            let mut principal = principal();
            change(&mut principal);
            let refusal = admit(&principal, "a", &[public("a")]).unwrap_err();
            assert_eq!(refusal.word(), word);
            assert!(refusal.to_string().contains(part), "{refusal}");
        }
    }

    #[test]
    fn the_same_class_must_allow_the_namespace_and_the_authority() {
        let other = "https://other.example";
        let principal = ServicePrincipal {
            authority: format!("{other}/"),
            ..principal()
        };
        let table = [
            (vec![], Err("PrincipalNotAllowed")),
            (vec![limit(&["b"], &[other])], Err("PrincipalNotAllowed")),
            (vec![public("a")], Err("ForeignAuthority")),
            (
                vec![public("a"), limit(&["b"], &[other])],
                Err("ForeignAuthority"),
            ),
            (vec![public("a"), limit(&["a"], &[other])], Ok(other)),
            (vec![limit(&["*"], &[other])], Ok(other)),
        ];
        for (limits, expected) in table {
            let admitted = admit(&principal, "a", &limits);
            let admitted = admitted.as_ref().map(|one| one.authority.as_str());
            assert_eq!(
                admitted.map_err(PrincipalRefusal::word),
                expected,
                "{limits:?}"
            );
        }
    }

    #[test]
    fn a_request_gets_the_tenant_it_names_if_the_identity_has_it() {
        let admitted = admit(&principal(), "a", &[public("a")]).unwrap();
        for (asked, tenant) in [
            (None, Some("tenant-1")),
            (Some("tenant-1"), Some("tenant-1")),
            (Some("TENANT-2"), Some("tenant-2")),
            (Some("tenant-3"), None),
            (Some(""), None),
        ] {
            let chosen = admitted.choose(asked).map(|chosen| chosen.tenant);
            assert_eq!(chosen.as_deref(), tenant, "{asked:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_admitted_beyond_the_namespace_and_the_authorities(
            secret_namespace in "[ab]?", namespace in "[ab]", authority in "(https://[xy]\\.example/?)?",
            of_class in proptest::collection::btree_set("[ab*]", 0..3), to in "https://[xy]\\.example",
        ) {
            let principal = ServicePrincipal { secret_namespace, authority, ..principal() };
            let limit = PrincipalLimit {
                namespaces: of_class,
                authorities: Authority::parse(&to).into_iter().collect(),
            };
            if let Ok(admitted) = admit(&principal, &namespace, [&limit]) {
                prop_assert!(["", namespace.as_str()].contains(&principal.secret_namespace.as_str()));
                prop_assert!(limit.authorities.contains(&admitted.authority));
                prop_assert!(limit.covers(&namespace));
                let written = principal.authority.trim_end_matches('/');
                prop_assert_eq!(admitted.authority.as_str(), written);
            }
        }
    }
}
