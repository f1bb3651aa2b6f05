//! The Lease on the API server.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use podid_core::lease::{LEASE_DURATION, LeaseState};
use serde_json::{Value, json};

/// Owner of the fields of the Lease.
const FIELD_MANAGER: &str = "podid-operator-lease";

/// The Lease as one replica sees it. A write succeeds only if nobody has written since what it goes by was read.
#[derive(Clone, Debug)]
pub(super) struct LeaseObject {
    api: Api<Lease>,
    name: String,
    replica: String,
}

impl LeaseObject {
    pub(super) fn new(client: Client, namespace: &str, name: &str, replica: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            replica: replica.to_owned(),
        }
    }

    /// The Lease, if there is one.
    pub(super) async fn read(&self) -> Result<Option<Lease>, kube::Error> {
        self.api.get_opt(&self.name).await
    }

    /// Whether this replica holds it.
    pub(super) fn is_ours(&self, lease: &Lease) -> bool {
        state(lease).holder.as_ref() == Some(&self.replica)
    }

    /// Takes it, or makes it; its new version, or `None` if somebody else was first.
    pub(super) async fn take(&self, lease: Option<&Lease>) -> Result<Option<String>, kube::Error> {
        let spec = lease.and_then(|lease| lease.spec.clone());
        let transitions = spec.as_ref().and_then(|spec| spec.lease_transitions);
        let now = MicroTime(Timestamp::now());
        let taken = LeaseSpec {
            holder_identity: Some(self.replica.clone()),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            lease_transitions: spec.map(|_| transitions.unwrap_or_default().saturating_add(1)),
            ..LeaseSpec::default()
        };
        match lease {
            Some(lease) => self.write(&version(lease), json!(taken)).await,
            None => self.make(taken).await,
        }
    }

    /// Says that this replica goes on; the new version, or `None` if the Lease is not what it was.
    pub(super) async fn renew(&self, version: &str) -> Result<Option<String>, kube::Error> {
        let now = MicroTime(Timestamp::now());
        self.write(version, json!({ "renewTime": now })).await
    }

    /// Frees it, if this replica holds it.
    pub(super) async fn release(&self) -> Result<(), kube::Error> {
        let lease = self.read().await?;
        if let Some(lease) = lease.filter(|lease| self.is_ours(lease)) {
            let freed = json!({
                "holderIdentity": null, "acquireTime": null,
                "renewTime": null, "leaseDurationSeconds": null,
            });
            self.write(&version(&lease), freed).await?;
        }
        Ok(())
    }

    async fn make(&self, spec: LeaseSpec) -> Result<Option<String>, kube::Error> {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
        };
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        written(self.api.create(&params, &lease).await)
    }

    async fn write(&self, version: &str, spec: Value) -> Result<Option<String>, kube::Error> {
        let patch = json!({ "metadata": { "resourceVersion": version }, "spec": spec });
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(patch);
        written(self.api.patch(&self.name, &params, &patch).await)
    }
}

/// What is decided on.
pub(super) fn state(lease: &Lease) -> LeaseState {
    let spec = lease.spec.as_ref();
    let holder = spec.and_then(|spec| spec.holder_identity.clone());
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds);
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    LeaseState {
        holder: holder.filter(|holder| !holder.is_empty()),
        duration: seconds.map_or(LEASE_DURATION, Duration::from_secs),
        version: version(lease),
    }
}

pub(super) fn version(lease: &Lease) -> String {
    lease.metadata.resource_version.clone().unwrap_or_default()
}

/// A conflict (the object is not what was read, or was made by somebody else) and an object that is gone are no errors.
fn written(answer: Result<Lease, kube::Error>) -> Result<Option<String>, kube::Error> {
    match answer {
        Ok(lease) => Ok(Some(version(&lease))),
        Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => Ok(None),
        Err(error) => Err(error),
    }
}
