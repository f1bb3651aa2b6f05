//! Plans against a small observed that does what the steps say.

mod adoption;
mod deletion;
mod former;
mod named;
mod properties;
mod withdrawal;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::arm::ArmId;
use crate::names;
use crate::owner::Owner;
use crate::profile::admit::admit;
use crate::profile::admit::tests::{access, class, profile};
use crate::profile::desired::Grantee;
use crate::profile::observed::{
    AzureIdentityFields, Child, ManagedIdentity, RecordedIdentity, RoleAssignment,
};
use crate::profile::progress::PlanProgress;
use crate::profile::{CreationPolicy, DeletionPolicy, Profile};
use crate::role::Role;

const SCOPES: [&str; 3] = [
    "/subscriptions/s/resourceGroups/apps/providers/Microsoft.KeyVault/vaults/a",
    "/subscriptions/s/resourceGroups/apps/providers/Microsoft.KeyVault/vaults/b",
    "/subscriptions/s/resourceGroups/apps",
];

fn desired(profile: &Profile) -> Desired {
    admit(profile, &class()).expect("admitted")
}

/// Does what a step says, and remembers it as the operator does.
fn perform(step: &Step, observed: &mut Observed) {
    match step.clone() {
        Step::CreateIdentity { id, location, tags } => {
            let (principal_id, tenant_id) = (format!("p-{}", id.name()), "tenant".to_owned());
            let client_id = format!("c-{}", id.name());
            let made = ManagedIdentity {
                id,
                location,
                tags,
                client_id,
                principal_id,
                tenant_id,
            };
            observed.identity = Some(made);
        }
        Step::AdoptIdentity { .. } => {}
        Step::UpdateTags { tags, .. } => {
            if let Some(identity) = &mut observed.identity {
                identity.tags = tags;
            }
        }
        Step::GrantRole(access) | Step::GrantNodeRole(access) => grant(&access, observed),
        Step::ApplyAzureIdentity {
            resource_id,
            net_raw,
            former,
            ..
        } => {
            let made = observed.identity.as_ref().expect("made before");
            let object = AzureIdentityFields {
                resource_id,
                client_id: made.client_id.clone(),
                principal_id: Some(made.principal_id.clone()),
                namespaced: true,
                net_raw,
                former,
            };
            observed.azure_identity = Some(Child {
                owned: true,
                applied_by: None,
                object,
            });
        }
        Step::ApplyBinding { binding, .. } => {
            observed.binding = Some(Child {
                owned: true,
                applied_by: None,
                object: binding,
            });
        }
        Step::RevokeRole { assignment, .. } => {
            observed.role_assignments.retain(|a| a.id != assignment)
        }
        Step::DeleteBinding { .. } => observed.binding = None,
        Step::DeleteAzureIdentity { .. } => observed.azure_identity = None,
        Step::AwaitUnassigned { .. } => {}
        Step::DeleteIdentity { id } => {
            observed.identity = observed.identity.take().filter(|i| i.id != id)
        }
    }
}

fn grant(access: &RoleGrant, observed: &mut Observed) {
    let principal_id = match &access.to {
        Grantee::Identity => observed
            .identity
            .as_ref()
            .expect("made before")
            .principal_id
            .clone(),
        Grantee::Kubelet(principal) => principal.clone(),
    };
    let role = access.role.id().expect("a known role");
    let name = names::role_assignment(&access.scope, &role, &principal_id);
    observed.role_assignments.push(RoleAssignment {
        id: ArmId::new(format!(
            "{}/providers/Microsoft.Authorization/roleAssignments/{name}",
            access.scope
        )),
        scope: access.scope.clone(),
        role,
        principal_id,
        description: Some(access.description.clone()),
    });
}

/// Plans and does it; the record afterwards is what the next plan finds held.
pub(crate) fn reconcile(profile: &Profile, observed: &mut Observed) -> Plan {
    let desired = desired(profile);
    let done = plan(&desired, observed).expect("a plan");
    done.steps.iter().for_each(|step| perform(step, observed));
    let identity = observed.identity.as_ref().expect("there");
    observed.record.identity = Some(RecordedIdentity {
        id: identity.id.clone(),
        client_id: identity.client_id.clone(),
        tenant_id: identity.tenant_id.clone(),
        principal_id: identity.principal_id.clone(),
        created: identity.tag("podid-uid") == Some(&profile.uid),
    });
    observed.record.role_assignments = plan(&desired, observed).expect("a plan").held;
    done
}

fn foreign_assignment(scope: &str, principal: &str, description: Option<&str>) -> RoleAssignment {
    RoleAssignment {
        id: ArmId::new(format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments/by-hand"
        )),
        scope: ArmId::new(scope),
        role: Role::parse("Reader").id().expect("known"),
        principal_id: principal.into(),
        description: description.map(Into::into),
    }
}

fn existing(profile: &Profile, tags: BTreeMap<String, String>) -> Observed {
    let identity = ManagedIdentity {
        id: desired(profile).identity.id,
        location: "northeurope".into(),
        tags,
        client_id: "c".into(),
        principal_id: "p".into(),
        tenant_id: "TENANT".into(),
    };
    Observed {
        identity: Some(identity),
        ..Observed::default()
    }
}

#[test]
fn a_fresh_profile_is_told_as_a_whole_story() {
    let plan = plan(&desired(&profile()), &Observed::default()).expect("a plan");
    let id = "/subscriptions/s/resourceGroups/identities/providers/Microsoft.ManagedIdentity/userAssignedIdentities/c-shop-cart-0399859bf0";
    let name = id.rsplit('/').next().expect("a name");
    let vault = crate::profile::admit::tests::VAULT;
    assert_eq!(
        plan.to_string(),
        format!(
            " 1. create identity {name} in westeurope, resource group identities\n \
             2. grant the identity Key Vault Secrets User on {vault}\n \
             3. grant the kubelet identity Managed Identity Operator on {id}\n \
             4. grant the kubelet identity Virtual Machine Contributor on /subscriptions/s/resourceGroups/nodes\n \
             5. apply AzureIdentity shop/cart for {name} with the client id that Azure gives it\n \
             6. apply AzureIdentityBinding shop/cart: pods with aadpodidbinding=cart use cart"
        )
    );
    let json = serde_json::to_value(&plan).expect("JSON");
    assert_eq!(json["steps"][0]["step"], "CreateIdentity");
    assert_eq!(json["steps"][4]["clientId"], serde_json::Value::Null);
}

#[test]
fn what_was_done_is_said_as_what_is_to_do_in_the_past_tense() {
    let mut observed = Observed::default();
    let made = reconcile(&profile(), &mut observed);
    let unmade = plan_deletion(&deletion::deletion(), &observed);
    let tenses = [
        ("create", "created"),
        ("grant", "granted"),
        ("apply", "applied"),
        ("wait", "waited"),
        ("revoke", "revoked"),
        ("delete", "deleted"),
    ];
    for step in made.steps.iter().chain(&unmade.steps) {
        let (to_do, done) = (step.to_string(), step.done());
        let in_past = tenses.iter().find_map(|(verb, past)| {
            let object = to_do.strip_prefix(verb)?;
            Some(format!("{past}{object}"))
        });
        assert_eq!(Some(done), in_past);
    }
}

#[test]
fn what_azure_does_not_show_yet_is_neither_lost_nor_taken_back() {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    let identity = observed.identity.take();
    let unseen = plan(&desired(&profile()), &observed).expect("a plan");
    assert!(
        !unseen
            .steps
            .iter()
            .any(|s| matches!(s, Step::RevokeRole { .. })),
        "{unseen}"
    );

    observed.identity = identity;
    observed.role_assignments.clear();
    let unseen = plan(&desired(&profile()), &observed).expect("a plan");
    assert!(
        !unseen
            .steps
            .iter()
            .any(|s| matches!(s, Step::RevokeRole { .. })),
        "{unseen}"
    );
    let asks_nothing = desired(&Profile {
        access: Vec::new(),
        ..profile()
    });
    let removed = plan(&asks_nothing, &observed).expect("a plan");
    assert!(
        removed
            .steps
            .iter()
            .any(|s| matches!(s, Step::RevokeRole { .. })),
        "{removed}"
    );
}
