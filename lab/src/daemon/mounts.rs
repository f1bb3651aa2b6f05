//! Files that programs in the lab see in place of the machine's: host names,
//! resolver, trusted certificates.

use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::truststore;
use crate::layout::{CONTROL_PLANE, ISSUER_HOST, Layout};
use crate::state::{CA_BUNDLE, StateDir, StateError, TRUST_STORE};

/// Where systems keep the bundle of trusted certificates; programs that read
/// no variable read one of these.
const SYSTEM_BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Why a file of the machine was not covered.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// A file cannot be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The text of a certificate cannot be read.
    #[error("cannot write the certificates for Java")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    /// A mount was refused.
    #[error("cannot mount over {over}")]
    Mount {
        /// The mount point.
        over: String,
        /// Why not.
        #[source]
        source: nix::errno::Errno,
    },
}

/// Memory for etcd's data: in the lab's mount namespace only, so it ends with
/// the lab whatever happens.
pub(crate) fn mount_etcd_memory(dir: &StateDir) -> Result<(), MountError> {
    let path = dir.file("etcd");
    std::fs::create_dir_all(&path).map_err(|source| StateError::Io {
        action: "create",
        path: path.clone(),
        source,
    })?;
    mount(
        Some("tmpfs"),
        &path,
        Some("tmpfs"),
        MsFlags::MS_NOSUID,
        Some("mode=0700"),
    )
    .map_err(mounting(&path))
}

/// Writes the lab's files and binds them over the machine's. `azure_hosts`
/// lead to the control plane; `authorities` are all that is trusted.
pub(crate) fn bind_files(
    dir: &StateDir,
    layout: &Layout,
    azure_hosts: &[String],
    authorities: &[&str],
) -> Result<(), MountError> {
    let hosts = dir.write("hosts", hosts_file(layout, azure_hosts))?;
    bind(&hosts, "/etc/hosts")?;
    let resolver = dir.write(
        "resolv.conf",
        "# The lab has no name server: /etc/hosts is all.\n",
    )?;
    bind(&resolver, "/etc/resolv.conf")?;
    let trusted = authorities.concat();
    let bundle = dir.write(CA_BUNDLE, &trusted)?;
    let store =
        truststore::jks(&trusted, jiff::Timestamp::now()).map_err(MountError::Certificate)?;
    dir.write(TRUST_STORE, store)?;
    SYSTEM_BUNDLES
        .iter()
        .try_for_each(|over| bind(&bundle, over))
}

fn hosts_file(layout: &Layout, azure_hosts: &[String]) -> String {
    let mut text = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
    let cluster = [
        ISSUER_HOST,
        "kubernetes.default.svc",
        "kubernetes.default",
        "control-plane",
    ];
    let names = cluster
        .iter()
        .copied()
        .chain(azure_hosts.iter().map(String::as_str));
    for name in names {
        text.push_str(&format!("{CONTROL_PLANE} {name}\n"));
    }
    for node in &layout.nodes {
        text.push_str(&format!("{} {}\n", node.address, node.name));
    }
    text
}

/// Binds `file` over `target`. A target the machine does not have is left
/// out: no program can expect it there.
fn bind(file: &Path, target: &str) -> Result<(), MountError> {
    if !Path::new(target).exists() {
        return Ok(());
    }
    let none = None::<&str>;
    mount(Some(file), target, none, MsFlags::MS_BIND, none).map_err(mounting(Path::new(target)))
}

fn mounting(over: &Path) -> impl FnOnce(nix::errno::Errno) -> MountError {
    let over = over.display().to_string();
    move |source| MountError::Mount { over, source }
}
