use super::roles;
use crate::owner::Owner;
use crate::profile::desired::Grant;
use crate::profile::observed::Observed;
use crate::profile::plan::Plan;

/// The steps that revoke these shared roles of the kubelet identity, as far as podid granted them in the owner's cluster:
/// by the name and the description that only podid gives.
#[must_use]
pub fn plan_release(owner: &Owner, grants: &[Grant], observed: &Observed) -> Plan {
    Plan {
        steps: roles::revoke_shared(owner, grants, observed),
        held: Vec::new(),
    }
}
