//! How many writes to Azure a plan takes, and how long Azure lets them wait.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::{Plan, Step};
use crate::arm::ArmId;

/// Requests of one kind that a caller may send to a subscription at once, and how many more each second; the
/// kinds are writes and deletions
/// (<https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>).
const BURST: u32 = 200;
const EACH_SECOND: u32 = 10;

/// Writes of the operator to one subscription. What puts identities on VMs and scale sets is not counted: it
/// takes one write for a VM or scale set, and depends on where pods run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureWrites {
    /// Identities created or tagged.
    pub identity_puts: u32,
    /// Identities deleted.
    pub identity_deletes: u32,
    /// Roles granted.
    pub role_puts: u32,
    /// Roles revoked.
    pub role_deletes: u32,
}

impl AzureWrites {
    /// Requests that count against the limit of writes.
    #[must_use]
    pub fn puts(self) -> u32 {
        self.identity_puts + self.role_puts
    }

    /// Requests that count against the limit of deletions.
    #[must_use]
    pub fn deletes(self) -> u32 {
        self.identity_deletes + self.role_deletes
    }

    /// How long Azure's limits stretch them when nobody else writes to the subscription; zero within a burst.
    #[must_use]
    pub fn at_least(self) -> Duration {
        let most = self.puts().max(self.deletes());
        let beyond = most.saturating_sub(BURST);
        Duration::from_millis(u64::from(beyond) * 1000 / u64::from(EACH_SECOND))
    }

    /// Share of the full limit that they take, in percent, of writes or deletions, whichever is more; above 100
    /// they wait.
    #[must_use]
    pub fn percent_of_burst(self) -> u32 {
        (self.puts().max(self.deletes()) * 100).div_ceil(BURST)
    }
}

/// The writes of some plans, by subscription in lower case, where no step has to be tried twice. A role of the
/// kubelet identity that several plans grant is granted once: the plan that comes second finds it.
#[must_use]
pub fn azure_writes<'a>(
    plans: impl IntoIterator<Item = &'a Plan>,
) -> BTreeMap<String, AzureWrites> {
    let mut all: BTreeMap<String, AzureWrites> = BTreeMap::new();
    let mut of_kubelet = BTreeSet::new();
    for step in plans.into_iter().flat_map(|plan| &plan.steps) {
        let mut of = |id: &ArmId, count: fn(&mut AzureWrites) -> &mut u32| {
            let subscription = id.subscription().unwrap_or("?").to_ascii_lowercase();
            *count(all.entry(subscription).or_default()) += 1;
        };
        match step {
            Step::CreateIdentity { id, .. } | Step::UpdateTags { id, .. } => {
                of(id, |writes| &mut writes.identity_puts);
            }
            Step::DeleteIdentity { id } => of(id, |writes| &mut writes.identity_deletes),
            Step::GrantRole(grant) => of(&grant.scope, |writes| &mut writes.role_puts),
            Step::GrantNodeRole(grant) => {
                if of_kubelet.insert((&grant.role, &grant.scope)) {
                    of(&grant.scope, |writes| &mut writes.role_puts);
                }
            }
            Step::RevokeRole { scope, .. } => of(scope, |writes| &mut writes.role_deletes),
            Step::AdoptIdentity { .. }
            | Step::ApplyAzureIdentity { .. }
            | Step::ApplyBinding { .. }
            | Step::DeleteBinding { .. }
            | Step::DeleteAzureIdentity { .. }
            | Step::AwaitUnassigned { .. } => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::desired::Grantee;
    use crate::profile::plan::RoleGrant;
    use crate::role::Role;

    #[test]
    fn beyond_a_burst_writes_wait_for_the_refill() {
        let of = |role_puts, role_deletes| AzureWrites {
            role_puts,
            role_deletes,
            ..AzureWrites::default()
        };
        assert_eq!(of(200, 0).at_least(), Duration::ZERO);
        assert_eq!(of(0, 0).percent_of_burst(), 0);
        assert_eq!(of(1, 0).percent_of_burst(), 1);
        assert_eq!(of(1, 200).percent_of_burst(), 100);
        // Writes and deletions have a limit each.
        assert_eq!(of(200, 200).at_least(), Duration::ZERO);
        assert_eq!(of(3, 260).at_least(), Duration::from_secs(6));
        assert_eq!(of(205, 0).at_least(), Duration::from_millis(500));
    }

    #[test]
    fn what_several_profiles_need_of_the_kubelet_identity_is_granted_once() {
        let grant = |scope: &str| {
            Step::GrantNodeRole(RoleGrant {
                role: Role::parse("Reader"),
                scope: ArmId::new(scope),
                to: Grantee::Kubelet("m".into()),
                description: String::new(),
            })
        };
        let plan = |scopes: &[&str]| Plan {
            steps: scopes.iter().copied().map(grant).collect(),
            held: Vec::new(),
        };
        let plans = [
            plan(&["/subscriptions/s/a", "/subscriptions/s/b"]),
            plan(&["/subscriptions/S/A"]),
        ];
        assert_eq!(azure_writes(&plans)["s"].puts(), 2);
    }

    proptest! {
        #[test]
        fn plans_add_up(one in 0_u32..5, other in 0_u32..5) {
            let plan = |count: u32, group: &str| Plan {
                steps: (0..count)
                    .map(|at| Step::DeleteIdentity {
                        id: ArmId::new(format!("/subscriptions/{group}/resourceGroups/g/x/{at}")),
                    })
                    .collect(),
                held: Vec::new(),
            };
            let (a, b) = (plan(one, "S"), plan(other, "s"));
            let counted = azure_writes([&a, &b]);
            let total = counted.get("s").copied().unwrap_or_default();
            prop_assert_eq!(total.deletes(), one + other);
            prop_assert_eq!(total.puts(), 0);
            prop_assert!(counted.len() <= 1);
        }
    }
}
