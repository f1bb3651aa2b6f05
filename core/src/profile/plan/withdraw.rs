use super::{delete, roles};
use crate::net_raw::NetRaw;
use crate::profile::observed::Observed;
use crate::profile::plan::Plan;
use crate::profile::plan::children::named_identities;
use crate::profile::plan::identity::released;
use crate::profile::plan::step::Step;
use crate::profile::withdrawal::{Withdrawal, WithdrawalExtent};

/// The steps by which a class takes away what it does not allow of a profile. The identity itself is never deleted,
/// and nothing that podid did not make is touched, so that all comes back when the class allows it again. After they
/// are done, the next plan has none.
#[must_use]
pub fn plan_withdrawal(withdrawal: &Withdrawal, observed: &Observed) -> Plan {
    let steps = match withdrawal.extent {
        WithdrawalExtent::Everything => everything(withdrawal, observed),
        WithdrawalExtent::Roles => {
            let mut steps = exceeding_roles(withdrawal, observed);
            steps.extend(enforce_net_raw(withdrawal, observed));
            steps
        }
    };
    let recorded = observed.record.role_assignments.iter();
    let of_others = recorded.filter(|entry| !entry.created);
    Plan {
        steps,
        held: of_others.cloned().collect(),
    }
}

/// Pods lose the identity, then it loses its roles: at once, whatever keeps a VM or scale set from letting go of it. What
/// the kubelet identity may do with it, and the AzureIdentity, stay until none has it, as in a deletion.
fn everything(withdrawal: &Withdrawal, observed: &Observed) -> Vec<Step> {
    let [binding, azure_identity] = delete::children(&withdrawal.owner, observed);
    let revokes = roles::revoke_all(&withdrawal.owner, observed);
    let (own, of_kubelet): (Vec<Step>, Vec<Step>) = revokes
        .into_iter()
        .partition(|step| is_of_identity(step, observed));
    let mut steps = Vec::from_iter(binding);
    steps.extend(own);
    if azure_identity.is_some() {
        steps.extend(named_identities(observed).into_keys().map(released));
    }
    steps.extend(azure_identity);
    steps.extend(of_kubelet);
    steps
}

/// Revokes the identity's roles that the class does not allow. What the kubelet identity may do with the identity is not
/// among what a class limits.
fn exceeding_roles(withdrawal: &Withdrawal, observed: &Observed) -> Vec<Step> {
    let exceeds = |step: &Step| match step {
        Step::RevokeRole { role, scope, .. } => !withdrawal.allows(role, scope, observed),
        _ => false,
    };
    let mut revokes = roles::revoke_all(&withdrawal.owner, observed);
    revokes.retain(|step| is_of_identity(step, observed) && exceeds(step));
    revokes
}

/// Whether a role is revoked from the profile's identity, and not from the kubelet's.
fn is_of_identity(step: &Step, observed: &Observed) -> bool {
    let Step::RevokeRole { principal_id, .. } = step else {
        return false;
    };
    let recorded = observed.record.identity.as_ref();
    let recorded = recorded.map(|it| it.principal_id.as_str());
    let shown = observed.identity.as_ref();
    let shown = shown.map(|it| it.principal_id.as_str());
    let mut own = recorded.into_iter().chain(shown);
    own.any(|own| own.eq_ignore_ascii_case(principal_id))
}

/// Writes into the AzureIdentity that pods must keep the `NET_RAW` rule.
fn enforce_net_raw(withdrawal: &Withdrawal, observed: &Observed) -> Option<Step> {
    let child = observed.azure_identity.as_ref()?;
    let is_loose = child.owned && child.object.net_raw != NetRaw::Enforce;
    (withdrawal.enforces_net_raw && is_loose).then(|| Step::ApplyAzureIdentity {
        namespace: withdrawal.owner.namespace.clone(),
        name: withdrawal.owner.profile.clone(),
        resource_id: child.object.resource_id.clone(),
        client_id: Some(child.object.client_id.clone()),
        principal_id: child.object.principal_id.clone(),
        net_raw: NetRaw::Enforce,
        former: child.object.former.clone(),
    })
}
