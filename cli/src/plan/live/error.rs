//! Why a cluster cannot be compared with.

use crate::cluster::ClusterError;

/// Why a cluster cannot be compared with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
    #[error(
        "--live compares with one cluster, and this is a plan of {count}; name the folder of one, as {example}"
    )]
    Several { count: usize, example: String },
    #[error("--live takes the place of the older version; give a file or folder")]
    Range,
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}
