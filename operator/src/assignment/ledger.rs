//! What we put on machines, written down before it is done: one ConfigMap a machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use podid_core::arm::ArmId;
use podid_core::names;
use podid_core::target::AssignmentRecord;
use podid_core::target::Target;

use crate::FIELD_MANAGER;

/// Label of all ledgers.
const LABEL: (&str, &str) = ("podid.dev/ledger", "machine");
/// Keys of a ledger's data: the machine's ARM id, and the identities, one a line.
const MACHINE: &str = "machine";
const IDENTITIES: &str = "identities";

/// A ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error(
    "{what} failed; check that the operator may list, patch and delete ConfigMaps in its namespace"
)]
pub(super) struct LedgerError {
    what: String,
    source: kube::Error,
}

#[cfg(test)]
impl LedgerError {
    pub(super) fn fake(machine: &Target) -> Self {
        let source = kube::Error::LinesCodecMaxLineLengthExceeded;
        Self {
            what: format!("writing the ledger of {machine}"),
            source,
        }
    }
}

/// Where ledgers are kept.
#[async_trait]
pub(super) trait Ledgers: Send + Sync + fmt::Debug {
    /// All ledgers there are.
    async fn load(&self) -> Result<BTreeMap<Target, AssignmentRecord>, LedgerError>;

    /// Replaces the ledger of a machine; an empty one is deleted.
    async fn save(&self, machine: &Target, ledger: &AssignmentRecord) -> Result<(), LedgerError>;
}

/// Ledgers in the operator's namespace.
pub(super) struct ConfigMapLedgers(Api<ConfigMap>);

impl fmt::Debug for ConfigMapLedgers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfigMapLedgers")
    }
}

impl ConfigMapLedgers {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self(Api::namespaced(client, namespace))
    }
}

#[async_trait]
impl Ledgers for ConfigMapLedgers {
    async fn load(&self) -> Result<BTreeMap<Target, AssignmentRecord>, LedgerError> {
        let params = ListParams::default().labels(&format!("{}={}", LABEL.0, LABEL.1));
        let list = self.0.list(&params).await.map_err(|source| LedgerError {
            what: "reading the ledgers of what is on machines".to_owned(),
            source,
        })?;
        Ok(list.items.iter().filter_map(read).collect())
    }

    async fn save(&self, machine: &Target, ledger: &AssignmentRecord) -> Result<(), LedgerError> {
        let name = names::ledger(machine.id());
        let saved = match ledger.0.is_empty() {
            true => match self.0.delete(&name, &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
                other => other.map(drop),
            },
            false => {
                let params = PatchParams::apply(FIELD_MANAGER).force();
                let object = to_config_map(&name, machine, ledger);
                self.0
                    .patch(&name, &params, &Patch::Apply(&object))
                    .await
                    .map(drop)
            }
        };
        saved.map_err(|source| LedgerError {
            what: format!("writing the ledger of {machine}"),
            source,
        })
    }
}

fn to_config_map(name: &str, machine: &Target, ledger: &AssignmentRecord) -> ConfigMap {
    let lines: Vec<&str> = ledger.0.iter().map(ArmId::as_str).collect();
    let data = [
        (MACHINE, machine.to_string()),
        (IDENTITIES, lines.join("\n")),
    ];
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([(LABEL.0.to_owned(), LABEL.1.to_owned())].into()),
            ..ObjectMeta::default()
        },
        data: Some(data.map(|(key, value)| (key.to_owned(), value)).into()),
        ..ConfigMap::default()
    }
}

fn read(object: &ConfigMap) -> Option<(Target, AssignmentRecord)> {
    let data = object.data.as_ref()?;
    let Some(machine) = data.get(MACHINE).and_then(|id| Target::parse(id)) else {
        tracing::warn!(
            config_map = object.name_any(),
            "ledger ignored: it names no machine"
        );
        return None;
    };
    let lines = data
        .get(IDENTITIES)
        .map(String::as_str)
        .unwrap_or_default()
        .lines();
    let identities: BTreeSet<_> = lines
        .map(ArmId::new)
        .filter(|id| !id.as_str().is_empty())
        .collect();
    Some((machine, AssignmentRecord(identities)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let machine = Target::parse(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/p",
        )
        .expect("a scale set");
        let ledger = AssignmentRecord(["/a/B", "/c"].map(ArmId::new).into());
        let object = to_config_map("x", &machine, &ledger);
        assert_eq!(read(&object), Some((machine, ledger)));
    }

    #[test]
    fn a_ledger_of_no_machine_is_ignored() {
        let data = [(MACHINE.to_owned(), "/subscriptions/s".to_owned())];
        let object = ConfigMap {
            data: Some(data.into()),
            ..ConfigMap::default()
        };
        assert_eq!(read(&object), None);
        assert_eq!(read(&ConfigMap::default()), None);
    }
}
