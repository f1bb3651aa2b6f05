//! The flags of `podid bootstrap git`.

use std::path::PathBuf;

use clap::Args;
use podid_crds::podid::AccessRule;

use crate::create::NeighbourArgs;
use crate::create::values::access;
use crate::output::Format;
use crate::repository::Author;
use crate::repository::remote::ConnectOptions;

/// `podid bootstrap git`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BootstrapArgs {
    /// Repository: its URL, a bare repository, or a clone, whose remote is meant; a clone itself is left as it is
    #[arg(long, value_name = "URL|DIR", default_value = ".")]
    pub(super) repo: String,

    /// Folder of the cluster, the --path that `flux bootstrap` was given
    #[arg(long, value_name = "PATH")]
    pub(super) cluster_path: PathBuf,

    /// Branch to push to; made if it is not there [default: the repository's default branch]
    #[arg(long, value_name = "NAME")]
    pub(super) branch: Option<String>,

    #[command(flatten)]
    pub(super) facts: FactArgs,

    #[command(flatten)]
    pub(super) install: InstallArgs,

    #[command(flatten)]
    pub(super) limits: LimitArgs,

    /// Author and committer [default: git's user.name and user.email]
    #[arg(long, value_name = "NAME <EMAIL>", help_heading = "Git")]
    pub(super) author: Option<Author>,

    /// Last paragraph of the commit message, for example "[ci skip]"
    #[arg(long, value_name = "TEXT", help_heading = "Git")]
    pub(super) message_appendix: Option<String>,

    #[command(flatten)]
    pub(super) connect: ConnectOptions,

    /// Show what would be pushed, and push nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Form of the output
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Format,
}

/// The facts of the cluster; a flag goes before what a file says.
#[derive(Debug, Args)]
#[command(next_help_heading = "Facts of the cluster")]
pub(super) struct FactArgs {
    /// What `az aks show --output json` says
    #[arg(long, value_name = "FILE")]
    pub(super) from_aks: Option<PathBuf>,

    /// What `az account show --output json` says; for the tenant
    #[arg(long, value_name = "FILE")]
    pub(super) account: Option<PathBuf>,

    /// Name of the cluster, unique in the subscription
    #[arg(long, value_name = "NAME")]
    pub(super) cluster: Option<String>,

    /// Microsoft Entra tenant
    #[arg(long, value_name = "GUID")]
    pub(super) tenant: Option<String>,

    /// Subscription in which identities are created
    #[arg(long, value_name = "GUID")]
    pub(super) subscription: Option<String>,

    /// Resource group in which identities are created [default: the cluster's own]
    #[arg(long, value_name = "NAME")]
    pub(super) resource_group: Option<String>,

    /// Resource group of the cluster's VMs and scale sets (MC_… on AKS)
    #[arg(long, value_name = "NAME")]
    pub(super) node_resource_group: Option<String>,

    /// Azure region of created identities
    #[arg(long, value_name = "REGION")]
    pub(super) location: Option<String>,

    /// Object id of the kubelet identity, to grant it its two roles
    #[arg(long, value_name = "GUID")]
    pub(super) node_principal: Option<String>,
}

/// How podid is installed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Installation")]
pub(super) struct InstallArgs {
    /// Client id of the operator's own identity
    #[arg(long, value_name = "GUID", value_parser = guid)]
    pub(super) client_id: String,

    /// The chart: oci://REGISTRY/…/podid, or the URL of a git repository with charts/podid
    #[arg(long, value_name = "URL")]
    pub(super) chart: String,

    /// Version of the chart, or range of versions (OCI); tag of the git repository
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    pub(super) chart_version: String,

    /// Secret in podid-system with the credentials for the chart's source
    #[arg(long, value_name = "NAME")]
    pub(super) chart_secret: Option<String>,

    /// Registry of podid's images, with the path before their names [default: where an OCI chart is]
    #[arg(long, value_name = "REGISTRY")]
    pub(super) image_registry: Option<String>,

    /// Namespace of Flux
    #[arg(long, value_name = "NAMESPACE", default_value = "flux-system")]
    pub(super) flux_namespace: String,

    /// GitRepository there that serves this repository
    #[arg(long, value_name = "NAME", default_value = "flux-system")]
    pub(super) flux_source: String,
}

/// The class, and what it allows at first.
#[derive(Debug, Args)]
#[command(next_help_heading = "Class")]
pub(super) struct LimitArgs {
    /// Name of the class
    #[arg(long, value_name = "NAME", default_value = "standard")]
    pub(super) class: String,

    /// Namespace whose profiles may use the class, `*` for all; can be given again; only where limits.yaml is not
    /// there yet
    #[arg(long, value_name = "NAMESPACE")]
    pub(super) allow_namespace: Vec<String>,

    /// Role that a profile may ask for at or below a scope, as ROLE=SCOPE; can be given again; only where limits.yaml
    /// is not there yet
    #[arg(long, value_name = "ROLE=SCOPE", value_parser = access)]
    pub(super) allow_access: Vec<AccessRule>,

    #[command(flatten)]
    pub(super) neighbours: NeighbourArgs,
}

const EXAMPLES: &str = "\
Writes CLUSTER-PATH/podid: what Flux needs to install podid, the class of the cluster, and a place for
profiles. A second run makes no commit. Files with podid's first line are written anew; every other file
is yours: it is made once and not changed, but for a missing entry of a kustomization.yaml.

Credentials for https come from PODID_GIT_TOKEN or git's credential helper, for ssh from your own ssh.

Examples:
  az aks show -g shop -n prod-1 -o json > aks.json
  podid bootstrap git --repo https://github.com/shop/fleet --cluster-path clusters/prod-1 \\
    --from-aks aks.json --tenant GUID --client-id GUID --chart oci://registry.example.com/podid

  See it first:
    podid bootstrap git --cluster-path clusters/prod-1 --from-aks aks.json … --dry-run";

fn guid(text: &str) -> Result<String, String> {
    let is_hyphen_at = |at| [8, 13, 18, 23].contains(&at);
    let fits = |(at, c): (usize, char)| match is_hyphen_at(at) {
        true => c == '-',
        false => c.is_ascii_hexdigit(),
    };
    match text.len() == 36 && text.char_indices().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("it is no GUID, such as 09e4a704-0000-4000-8000-000000000001".to_owned()),
    }
}
