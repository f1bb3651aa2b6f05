//! A pod that is refused, in words for the one who wrote it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::binding::Identity;
use crate::net_raw::{self, Breach};

/// How many containers a text names: it must still fit an Event.
const NAMED: usize = 6;

/// A pod that is bound and refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedPod {
    /// In which ways it breaks the rule; never empty.
    pub breaches: BTreeSet<Breach>,
    /// The identities that it is bound to.
    pub identities: Vec<Identity>,
}

impl RefusedPod {
    /// A word for Events.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.containers().is_empty() {
            false => "NetRawNotDropped",
            true => "HostNamespaceUsed",
        }
    }

    /// What to change in the pod's template, first, and then why.
    #[must_use]
    pub fn message(&self) -> String {
        let mut remedies = Vec::new();
        let containers = self.containers();
        if !containers.is_empty() {
            let named: Vec<&str> = containers.iter().take(NAMED).copied().collect();
            let others = if containers.len() > NAMED {
                " and others"
            } else {
                ""
            };
            let containers = format!("{}{others}", named.join(", "));
            remedies.push(format!(
                "write securityContext: {{privileged: false, capabilities: {{drop: [NET_RAW]}}}} in \
                 container {containers}, without NET_RAW, SYS_ADMIN or ALL under add"
            ));
        }
        if self.breaches.contains(&Breach::HostNetwork) {
            remedies.push("take hostNetwork out".to_owned());
        }
        if self.breaches.contains(&Breach::HostPid) {
            remedies.push("take hostPID out".to_owned());
        }
        format!(
            "{}, and let the pod be made anew; it gets no identity, because {}",
            remedies.join("; "),
            net_raw::describe(&self.breaches)
        )
    }

    /// Containers that break the rule.
    fn containers(&self) -> BTreeSet<&str> {
        let all = self.breaches.iter().filter_map(|breach| match breach {
            Breach::HostNetwork | Breach::HostPid => None,
            Breach::KeepsNetRaw(name) | Breach::Adds(name, _) | Breach::Privileged(name) => {
                Some(name.as_str())
            }
        });
        all.collect()
    }
}
