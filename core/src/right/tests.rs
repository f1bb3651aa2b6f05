use proptest::prelude::*;

use super::*;

fn right(role: &str, scope: &str) -> Right {
    Right {
        role: Role::parse(role),
        scope: ArmId::new(scope),
    }
}

#[test]
fn a_right_is_told_by_what_it_allows_and_where() {
    let group = "/subscriptions/s/resourceGroups/payments";
    let vault = format!("{group}/providers/Microsoft.KeyVault/vaults/kv-payments");
    let account = format!("{group}/providers/microsoft.storage/storageaccounts/st");
    let container = format!("{account}/blobServices/default/containers/reports");
    let table = [
        (
            "Key Vault Secrets User",
            vault.as_str(),
            "read on all secrets of vault kv-payments (Key Vault Secrets User)",
        ),
        (
            "4633458b-17de-408a-b874-0445c86b69e6",
            group,
            "read on all secrets of every vault in resource group payments (Key Vault Secrets User)",
        ),
        (
            "Storage Blob Data Reader",
            &container,
            "read on all blobs of blob container reports of storage account st (Storage Blob Data Reader)",
        ),
        (
            "Reader",
            "/subscriptions/S",
            "read on everything but data and secrets in subscription S (Reader)",
        ),
        (
            "Payments Auditor",
            &vault,
            "the role Payments Auditor on vault kv-payments",
        ),
        (
            "Reader",
            "/providers/Microsoft.Management/managementGroups/m",
            "read on everything but data and secrets in management group m (Reader)",
        ),
        (
            "Payments Auditor",
            "/subscriptions/s/resourceGroups/g/providers/My.Own/things/t",
            "the role Payments Auditor on My.Own/things t",
        ),
        ("Odd", "/what/is/this", "the role Odd on /what/is/this"),
        ("Odd", "", "the role Odd on "),
    ];
    for (role, scope, words) in table {
        assert_eq!(right(role, scope).to_string(), words);
    }
}

fn sets() -> impl Strategy<Value = BTreeSet<Right>> {
    let scopes = [
        "/subscriptions/s",
        "/subscriptions/s/resourceGroups/g",
        "/SUBSCRIPTIONS/s/resourceGroups/G",
        "/subscriptions/s/resourceGroups/g2",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v",
    ];
    let roles = ["Reader", "Key Vault Secrets User", "Own role", "own Role"];
    let one = (
        prop::sample::select(scopes.to_vec()),
        prop::sample::select(roles.to_vec()),
    );
    prop::collection::btree_set(one.prop_map(|(scope, role)| right(role, scope)), 0..8)
}

fn allows(rights: &BTreeSet<Right>, asked: &Right) -> bool {
    rights.iter().any(|right| right.covers(asked))
}

proptest! {
    #[test]
    fn gained_is_what_only_the_new_ones_allow_and_lost_what_only_the_old_ones_did(
        old in sets(), new in sets(), asked in sets(),
    ) {
        let change = RightsChange::between(&old, &new);
        for right in &change.gained {
            prop_assert!(allows(&new, right) && !allows(&old, right), "{right}");
        }
        for right in &change.lost {
            prop_assert!(allows(&old, right) && !allows(&new, right), "{right}");
        }
        // Whatever is allowed after and was not before is named, and the other way round.
        for right in &asked {
            let named = |list: &[Right]| list.iter().any(|gained| gained.covers(right));
            prop_assert!(!allows(&new, right) || allows(&old, right) || named(&change.gained));
            prop_assert!(!allows(&old, right) || allows(&new, right) || named(&change.lost));
        }
    }

    #[test]
    fn back_is_the_opposite_and_no_change_is_none(one in sets(), other in sets()) {
        let there = RightsChange::between(&one, &other);
        let back = RightsChange::between(&other, &one);
        prop_assert_eq!((there.gained, there.lost), (back.lost, back.gained));
        prop_assert!(RightsChange::between(&one, &one).is_empty());
    }

    #[test]
    fn any_scope_and_role_has_words(role in ".*", scope in ".*") {
        prop_assert!(!right(&role, &scope).to_string().is_empty());
    }
}
