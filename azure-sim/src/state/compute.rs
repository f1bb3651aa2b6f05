//! Machines and scale sets, the identities on them, and changes under way.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;

use super::State;
use super::ids::{ResourceId, fold};
use crate::clock::Clock;
use crate::faults::Outcome;
use crate::world::{Instance, Orchestration};

/// A machine or a scale set: what identities are put on.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) id: ResourceId,
    pub(crate) kind: HostKind,
    pub(crate) location: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// Stable GUID: `vmId` or `uniqueId`.
    pub(crate) unique_id: String,
    pub(crate) block: IdentityBlock,
    /// Grows with every change.
    pub(crate) version: u64,
    /// The change under way.
    pub(crate) running: Option<String>,
    /// How the last change ended.
    pub(crate) last: Outcome,
}

#[derive(Clone, Debug)]
pub(crate) enum HostKind {
    Machine {
        computer_name: String,
        private_ip: Option<String>,
        /// Folded id of the flexible scale set it belongs to.
        scale_set: Option<String>,
    },
    ScaleSet {
        orchestration: Orchestration,
        /// Of a uniform set only.
        instances: Vec<Instance>,
    },
}

/// The identities on a host.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdentityBlock {
    pub(crate) system: Option<SystemIdentity>,
    /// By folded id.
    pub(crate) users: BTreeMap<String, Attached>,
}

#[derive(Clone, Debug)]
pub(crate) struct SystemIdentity {
    pub(crate) principal_id: String,
    pub(crate) client_id: String,
}

/// A user-assigned identity as the host took it up: if it is deleted and made anew, the host goes
/// on with the old ids until it is assigned again.
#[derive(Clone, Debug)]
pub(crate) struct Attached {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) principal_id: String,
    /// Whether the change that brought it has ended.
    pub(crate) active: bool,
    /// When it became active.
    pub(crate) since: Instant,
}

/// A long-running change of a host.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) host: String,
    pub(crate) started: Timestamp,
    pub(crate) born: Instant,
    /// Polls still to answer `InProgress`; without a number only time decides.
    pub(crate) polls_left: Option<u32>,
    /// Azure's seconds after which it is over in any case.
    pub(crate) seconds: f64,
    /// Azure's seconds between polls.
    pub(crate) retry_after: f64,
    pub(crate) outcome: Outcome,
    /// Error code if it fails.
    pub(crate) code: Option<String>,
    /// What a failure goes back to.
    pub(crate) before: IdentityBlock,
    pub(crate) ended: Option<Timestamp>,
}

impl Host {
    pub(crate) fn is_machine(&self) -> bool {
        matches!(self.kind, HostKind::Machine { .. })
    }

    /// `properties.provisioningState`.
    pub(crate) fn provisioning_state(&self) -> &'static str {
        if self.running.is_some() {
            "Updating"
        } else {
            self.last.word()
        }
    }

    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }
}

/// A machine as IMDS and ARM show it: a plain VM, or an instance of a uniform scale set.
#[derive(Clone, Debug)]
pub(crate) struct Machine<'a> {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) instance_id: Option<&'a str>,
    pub(crate) computer_name: String,
    pub(crate) private_ip: Option<&'a str>,
    pub(crate) unique_id: String,
    /// Id and name of the scale set it is part of.
    pub(crate) scale_set: Option<(String, String)>,
    /// Whose identities it uses: itself, or its uniform scale set.
    pub(crate) host: &'a Host,
}

impl State {
    /// The key of a machine, given its id in any letter case; `None` if there is none.
    pub(crate) fn machine_id(&self, id: &str) -> Option<String> {
        let key = fold(id);
        self.machine(&key).is_some().then_some(key)
    }

    /// A machine by its folded id.
    pub(crate) fn machine(&self, key: &str) -> Option<Machine<'_>> {
        if let Some(host) = self.hosts.get(key) {
            return self.plain_machine(host);
        }
        let (set, number) = key.rsplit_once("/virtualmachines/")?;
        self.instances(self.hosts.get(set)?)
            .into_iter()
            .find(|m| m.instance_id == Some(number))
    }

    /// The machines of a scale set.
    pub(crate) fn instances<'a>(&'a self, set: &'a Host) -> Vec<Machine<'a>> {
        let HostKind::ScaleSet {
            orchestration,
            instances,
        } = &set.kind
        else {
            return Vec::new();
        };
        match orchestration {
            Orchestration::Uniform => instances.iter().map(|i| uniform_instance(set, i)).collect(),
            Orchestration::Flexible => {
                let key = set.id.key();
                self.hosts
                    .values()
                    .filter(|h| matches!(&h.kind, HostKind::Machine { scale_set: Some(s), .. } if *s == key))
                    .filter_map(|h| self.plain_machine(h))
                    .collect()
            }
        }
    }

    fn plain_machine<'a>(&'a self, host: &'a Host) -> Option<Machine<'a>> {
        let HostKind::Machine {
            computer_name,
            private_ip,
            scale_set,
        } = &host.kind
        else {
            return None;
        };
        let set = scale_set.as_ref().and_then(|s| self.hosts.get(s));
        Some(Machine {
            id: host.id.path(),
            name: host.id.name.clone(),
            instance_id: None,
            computer_name: computer_name.clone(),
            private_ip: private_ip.as_deref(),
            unique_id: host.unique_id.clone(),
            scale_set: set.map(|s| (s.id.path(), s.id.name.clone())),
            host,
        })
    }

    /// Ends every change whose time has come.
    pub(crate) fn settle(&mut self, clock: Clock) {
        let due: Vec<_> = self
            .changes
            .iter()
            .filter(|(_, c)| c.ended.is_none() && clock.age(c.born) >= c.seconds)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.finish(&id, clock);
        }
    }

    /// Ends a change: its identities become usable, or its host goes back to what it was.
    pub(crate) fn finish(&mut self, change: &str, clock: Clock) {
        let Some(change) = self.changes.get_mut(change) else {
            return;
        };
        change.ended = Some(clock.now());
        let Some(host) = self.hosts.get_mut(&change.host) else {
            return;
        };
        host.running = None;
        host.last = change.outcome;
        if change.outcome != Outcome::Succeeded {
            host.block = change.before.clone();
            host.version += 1;
        }
        for attached in host.block.users.values_mut().filter(|a| !a.active) {
            attached.active = true;
            attached.since = Instant::now();
        }
    }
}

fn uniform_instance<'a>(set: &'a Host, instance: &'a Instance) -> Machine<'a> {
    let name = format!("{}_{}", set.id.name, instance.id);
    Machine {
        id: format!("{}/virtualMachines/{}", set.id.path(), instance.id),
        computer_name: instance
            .computer_name
            .clone()
            .unwrap_or_else(|| default_computer_name(&set.id.name, &instance.id)),
        instance_id: Some(&instance.id),
        private_ip: instance.private_ip.as_deref(),
        unique_id: super::ids::named("instance", &format!("{}/{name}", set.id.path())),
        scale_set: Some((set.id.path(), set.id.name.clone())),
        name,
        host: set,
    }
}

/// `{prefix}{6 base-36 digits}`, as Azure names the hosts of a scale set.
fn default_computer_name(set: &str, instance: &str) -> String {
    let mut number: u32 = instance.parse().unwrap_or_default();
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
    }
    format!("{}{}", set.to_lowercase(), String::from_utf8_lossy(&digits))
}

#[cfg(test)]
mod tests {
    use super::default_computer_name;

    #[test]
    fn hosts_of_a_scale_set_are_numbered_in_base_36() {
        assert_eq!(default_computer_name("Pool", "0"), "pool000000");
        assert_eq!(default_computer_name("pool", "35"), "pool00000z");
        assert_eq!(default_computer_name("pool", "36"), "pool000010");
    }
}
