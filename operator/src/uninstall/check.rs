//! Refuses an uninstallation that would strand profiles.

use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use podid_core::uninstall::{self, FoundProfile, Stranded};
use podid_crds::podid::PodIdentityProfile;
use podid_index::key_of;
use podid_runtime::{BoxError, logging, metrics};

use crate::args::CheckUninstallArgs;
use crate::gate::{ClusterAccess, Gate, GateMetrics};
use crate::leader::Leadership;

/// Why an uninstallation may not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckError {
    /// Nobody would take podid's finalizer off.
    #[error(transparent)]
    Stranded(#[from] Stranded),
    /// It is not known whether there are any.
    #[error(
        "podid is not uninstalled, because it is not known whether profiles have podid's finalizer: the API server did \
         not list PodIdentityProfiles; may this service account list them in all namespaces?"
    )]
    Unknown(#[source] kube::Error),
}

/// Fails while a profile has podid's finalizer.
///
/// # Errors
/// Profiles would be stranded, or the API server does not say whether.
pub async fn check(args: CheckUninstallArgs) -> Result<(), BoxError> {
    logging::init(&args.log)?;
    // It never leads, so the gate lets it write nothing.
    let (_, leadership) = Leadership::new();
    let counters = GateMetrics::register(&mut metrics::registry("operator"));
    let cluster = ClusterAccess::find(args.kubeconfig.as_deref(), "default").await?;
    check_cluster(cluster.client(Gate::new(leadership, counters))?).await?;
    tracing::info!("no profile has podid's finalizer: podid can be removed");
    Ok(())
}

pub(super) async fn check_cluster(client: Client) -> Result<(), CheckError> {
    let profiles: Api<PodIdentityProfile> = Api::all(client);
    let found = match profiles.list_metadata(&ListParams::default()).await {
        Ok(found) => found.items,
        // There is no such kind, hence no profile.
        Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
        Err(error) => return Err(CheckError::Unknown(error)),
    };
    uninstall::check(found.iter().map(|profile| FoundProfile {
        key: key_of(profile),
        finalizers: profile.finalizers().to_vec(),
        is_deleted: profile.metadata.deletion_timestamp.is_some(),
    }))?;
    Ok(())
}
