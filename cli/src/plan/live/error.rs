//! Why a cluster cannot be compared with.

/// Why a cluster cannot be compared with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
    #[error(
        "--live compares with one cluster, and this is a plan of {count}; name the folder of one, as {example}"
    )]
    Several { count: usize, example: String },
    #[error("--live takes the place of the older version; give a file or folder")]
    Range,
    #[error("the kubeconfig cannot be used; check --kubeconfig, $KUBECONFIG and --context")]
    Kubeconfig(#[source] Box<kube::config::KubeconfigError>),
    #[error("the API server of the kubeconfig cannot be talked to")]
    Client(#[source] Box<kube::Error>),
    #[error("the cluster does not list its {kinds}{hint}")]
    List {
        kinds: String,
        /// What helps, from a `; ` on; may be empty.
        hint: &'static str,
        source: Box<kube::Error>,
    },
    #[error("the calls to the cluster cannot be started")]
    Runtime(#[source] std::io::Error),
}
