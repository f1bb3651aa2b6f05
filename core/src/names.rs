//! Names that podid derives. Equal inputs give equal names on every computer and in every
//! release, because Azure objects outlive the process that named them.

use uuid::Uuid;

use crate::arm::ArmId;

/// Namespace of podid's derived GUIDs. Never change it: assignments in Azure carry the result.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d5c_6a0e_3b1f_4c52_9a44_1b7f_0d1d_c0de);

/// Longest identity name that Azure accepts, in characters (ARM docs: resource name rules).
const IDENTITY_NAME_MAX: usize = 128;

/// Longest name of a Kubernetes object, in bytes (a DNS subdomain).
const OBJECT_NAME_MAX: usize = 253;

/// Characters of the name of a VM or scale set in the name of its record; the digest tells those apart
/// whose names begin alike.
const RECORD_READABLE_MAX: usize = 80;

/// Hexadecimal digits of a digest in a name.
const DIGEST_LENGTH: usize = 10;

/// Longest value of a Kubernetes label, in bytes.
const LABEL_VALUE_MAX: usize = 63;

/// Azure name of the identity of a profile that gives none: readable, and different for every
/// (cluster, namespace, profile), also for `a-b`/`c` and `a`/`b-c`, whose readable parts are equal.
#[must_use]
pub fn identity(cluster: &str, namespace: &str, profile: &str) -> String {
    let digest = digest(&[cluster, namespace, profile]);
    let readable = identity_readable(&format!("{cluster}-{namespace}-{profile}"));
    format!("{readable}-{digest}")
}

/// Whether an identity's name has the form of those that [`identity`] gives to profiles of this cluster: its name, two
/// more words and a digest. Azure folds case in names.
#[must_use]
pub fn is_of_derived_identity(name: &str, cluster: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let start = identity_readable(&format!("{cluster}-")).to_ascii_lowercase();
    let Some((profile, digest)) = name
        .strip_prefix(&start)
        .and_then(|rest| rest.rsplit_once('-'))
    else {
        return false;
    };
    profile.contains('-')
        && digest.len() == DIGEST_LENGTH
        && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The readable part of an identity's name, as long as the digest after it lets it be.
fn identity_readable(text: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() {
        true => c,
        false => '-',
    };
    let longest = IDENTITY_NAME_MAX - DIGEST_LENGTH - 1;
    text.chars().map(plain).take(longest).collect()
}

/// Name of a role assignment: a GUID derived from what is assigned, so that a second attempt
/// finds the first, and a re-created identity (another principal) gets another name.
#[must_use]
pub fn role_assignment(scope: &ArmId, role: &Uuid, principal_id: &str) -> Uuid {
    let text = format!(
        "{}|{role}|{}",
        scope.folded(),
        principal_id.to_ascii_lowercase()
    );
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

/// Name of the AzureAssignedIdentity of one pod and one AzureIdentity, in the pod's namespace.
#[must_use]
pub fn assigned_identity(pod: &str, pod_uid: &str, namespace: &str, identity: &str) -> String {
    let digest = digest(&[pod_uid, namespace, identity]);
    let readable: String = pod
        .chars()
        .take(OBJECT_NAME_MAX - digest.len() - 1)
        .collect();
    format!("{}-{digest}", readable.trim_end_matches(['-', '.']))
}

/// Name of the ConfigMap that records what podid has put on a VM or scale set.
#[must_use]
pub fn assignment_record(target: &ArmId) -> String {
    let digest = digest(&[&target.folded()]);
    let readable: String = target
        .name()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(RECORD_READABLE_MAX)
        .collect();
    format!("podid-ledger-{}-{digest}", readable.trim_matches('-'))
}

/// A label value for a name that may be too long for one: the name, or its start and a digest.
#[must_use]
pub fn label_value(name: &str) -> String {
    if name.len() <= LABEL_VALUE_MAX {
        return name.to_owned();
    }
    let digest = digest(&[name]);
    let readable: String = name
        .chars()
        .take(LABEL_VALUE_MAX - digest.len() - 1)
        .collect();
    format!("{}-{digest}", readable.trim_end_matches(['-', '.', '_']))
}

/// The first hexadecimal digits of a digest over all parts.
fn digest(parts: &[&str]) -> String {
    // Each part is preceded by its length, so that `a-b`, `c` and `a`, `b-c` give different digests.
    let text: Vec<String> = parts
        .iter()
        .map(|part| format!("{}:{part}", part.len()))
        .collect();
    let uuid = Uuid::new_v5(&NAMESPACE, text.join("|").as_bytes());
    uuid.simple().to_string()[..DIGEST_LENGTH].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_do_not_change_between_releases() {
        assert_eq!(
            identity("prod", "payments", "checkout"),
            "prod-payments-checkout-96e4c9fd2b"
        );
        let role = Uuid::try_parse("4633458b-17de-408a-b874-0445c86b69e6").expect("a GUID");
        assert_eq!(
            role_assignment(&ArmId::new("/subscriptions/S"), &role, "P").to_string(),
            "8dc2289b-7690-569d-be0c-69ba332c36ad"
        );
    }

    #[test]
    fn object_names_and_labels_do_not_change_between_releases() {
        assert_eq!(
            assigned_identity("web-0", "uid", "shop", "cart"),
            "web-0-7abd40bfd6"
        );
        assert_eq!(label_value("cart"), "cart");
        let long = "a".repeat(LABEL_VALUE_MAX + 1);
        assert_eq!(label_value(&long), format!("{}-9e2c9b39fc", "a".repeat(52)));
        let longest = assigned_identity(&"a".repeat(OBJECT_NAME_MAX), "uid", "ns", "i");
        assert_eq!(longest.len(), OBJECT_NAME_MAX);
    }

    #[test]
    fn names_of_derived_form_are_told_from_others() {
        let derived = identity("Prod_1", "shop", "web");
        for name in [derived.clone(), derived.to_ascii_uppercase()] {
            assert!(is_of_derived_identity(&name, "prod_1"), "{name}");
        }
        for other in [
            "prod-1-shop-web",
            "prod-1-shop-web-012345678",
            "prod-1-shop-web-012345678g",
            "prod-12-shop-web-0123456789",
            "prod-1-2026112709",
            "prod-1-shop-2026112709",
            "0123456789",
            "",
        ] {
            assert!(!is_of_derived_identity(other, "Prod_1"), "{other}");
        }
    }

    #[test]
    fn names_that_run_together_stay_apart() {
        assert_ne!(identity("c", "a-b", "c"), identity("c", "a", "b-c"));
    }

    /// Weakness 31 of the predecessor: it joined the names of pod, namespace and identity by hyphens, so that two pods could
    /// have one object, and long names were refused.
    #[test]
    fn objects_of_pods_whose_names_run_together_stay_apart() {
        let names = [
            assigned_identity("a-b", "1", "c", "id"),
            assigned_identity("a", "2", "b-c", "id"),
            assigned_identity("a", "2", "b", "c-id"),
            assigned_identity("a", "3", "b-c", "id"),
        ];
        let different: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        let longest = "a".repeat(OBJECT_NAME_MAX);
        let of_long =
            ["1", "2"].map(|uid| assigned_identity(&longest, uid, &longest[..63], &longest));
        assert_ne!(of_long[0], of_long[1]);
        assert!(of_long.iter().all(|name| name.len() == OBJECT_NAME_MAX));
    }

    #[test]
    fn records_do_not_depend_on_the_spelling_of_an_id() {
        let name = assignment_record(&ArmId::new("/subscriptions/s/x/Pool_1"));
        assert_eq!(
            name,
            assignment_record(&ArmId::new("/SUBSCRIPTIONS/s/x/pool_1"))
        );
        assert_ne!(
            name,
            assignment_record(&ArmId::new("/subscriptions/t/x/pool_1"))
        );
        assert!(name.starts_with("podid-ledger-pool-1-"), "{name}");
    }

    proptest! {
        #[test]
        fn identity_names_are_names_azure_takes(
            cluster in "[a-zA-Z0-9][a-zA-Z0-9-]{0,39}",
            namespace in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
            profile in "[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?",
        ) {
            let name = identity(&cluster, &namespace, &profile);
            prop_assert!((3..=128).contains(&name.len()));
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            prop_assert!(name.starts_with(|c: char| c.is_ascii_alphanumeric()));
            prop_assert!(is_of_derived_identity(&name, &cluster));
        }

        #[test]
        fn derived_object_names_are_names_kubernetes_takes(pod in "[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?") {
            let name = assigned_identity(&pod, "uid", "ns", "identity");
            prop_assert!(name.len() <= 253);
            prop_assert!(name.ends_with(|c: char| c.is_ascii_alphanumeric()));
            let label = label_value(&pod);
            prop_assert!(label.len() <= 63);
            prop_assert!(label.ends_with(|c: char| c.is_ascii_alphanumeric()));
        }
    }
}
