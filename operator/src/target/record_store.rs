//! What podid has put on each VM or scale set, written before Azure is asked: one ConfigMap for each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use podid_core::arm::ArmId;
use podid_core::names;
use podid_core::target::{AssignmentRecord, Target};

use crate::FIELD_MANAGER;

/// Label of all records; its words are older than the names of today.
const LABEL: (&str, &str) = ("podid.dev/ledger", "machine");
/// Keys of a record's data: the ARM id of the VM or scale set, and the identities, one a line.
const TARGET: &str = "machine";
const IDENTITIES: &str = "identities";

/// A record could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error(
    "{what} failed; check that the operator may list, create, patch and delete ConfigMaps in its namespace, and \
     that the policy podid-assignment-records knows its service account"
)]
pub(crate) struct RecordError {
    what: String,
    source: kube::Error,
}

#[cfg(test)]
impl RecordError {
    pub(crate) fn fake(target: &Target) -> Self {
        let source = kube::Error::LinesCodecMaxLineLengthExceeded;
        Self {
            what: format!("writing the record of {target}"),
            source,
        }
    }
}

/// Where records are kept.
#[async_trait]
pub(crate) trait RecordStore: Send + Sync + fmt::Debug {
    /// All records there are.
    async fn load(&self) -> Result<BTreeMap<Target, AssignmentRecord>, RecordError>;

    /// Replaces the record of a VM or scale set; an empty one is deleted.
    async fn save(&self, target: &Target, record: &AssignmentRecord) -> Result<(), RecordError>;
}

/// Records as ConfigMaps in the operator's namespace.
pub(crate) struct ConfigMapRecords(Api<ConfigMap>);

impl fmt::Debug for ConfigMapRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfigMapRecords")
    }
}

impl ConfigMapRecords {
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        Self(Api::namespaced(client, namespace))
    }
}

#[async_trait]
impl RecordStore for ConfigMapRecords {
    async fn load(&self) -> Result<BTreeMap<Target, AssignmentRecord>, RecordError> {
        let params = ListParams::default().labels(&format!("{}={}", LABEL.0, LABEL.1));
        let list = self.0.list(&params).await.map_err(|source| RecordError {
            what: "reading the records of what is on VMs and scale sets".to_owned(),
            source,
        })?;
        Ok(list.items.iter().filter_map(read).collect())
    }

    async fn save(&self, target: &Target, record: &AssignmentRecord) -> Result<(), RecordError> {
        let name = names::assignment_record(target.id());
        let saved = match record.0.is_empty() {
            true => match self.0.delete(&name, &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
                other => other.map(drop),
            },
            false => {
                let params = PatchParams::apply(FIELD_MANAGER).force();
                let object = to_config_map(&name, target, record);
                self.0
                    .patch(&name, &params, &Patch::Apply(&object))
                    .await
                    .map(drop)
            }
        };
        saved.map_err(|source| RecordError {
            what: format!("writing the record of {target}"),
            source,
        })
    }
}

fn to_config_map(name: &str, target: &Target, record: &AssignmentRecord) -> ConfigMap {
    let lines: Vec<&str> = record.0.iter().map(ArmId::as_str).collect();
    let data = [(TARGET, target.to_string()), (IDENTITIES, lines.join("\n"))];
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
    let Some(target) = data.get(TARGET).and_then(|id| Target::parse(id)) else {
        tracing::warn!(
            config_map = object.name_any(),
            "record ignored: it names neither a VM nor a scale set"
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
    Some((target, AssignmentRecord(identities)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let target = Target::parse(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/p",
        )
        .expect("a scale set");
        let record = AssignmentRecord(["/a/B", "/c"].map(ArmId::new).into());
        let object = to_config_map("x", &target, &record);
        assert_eq!(read(&object), Some((target, record)));
    }

    #[test]
    fn a_record_of_no_target_is_ignored() {
        let data = [(TARGET.to_owned(), "/subscriptions/s".to_owned())];
        let object = ConfigMap {
            data: Some(data.into()),
            ..ConfigMap::default()
        };
        assert_eq!(read(&object), None);
        assert_eq!(read(&ConfigMap::default()), None);
    }
}
