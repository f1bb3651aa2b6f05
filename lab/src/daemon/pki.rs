//! Keys and certificates of one lab, made anew each time.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize,
};

use crate::kubeconfig::{Credential, render};
use crate::layout::{API_SERVER_PORT, CONTROL_PLANE, ISSUER_HOST, NodeLayout};
use crate::state::{self, StateDir, StateError};

/// Kubeconfig of kube-controller-manager, in the state directory.
pub(crate) const MANAGER_KUBECONFIG: &str = "controller-manager.kubeconfig";
/// Kubeconfig of kube-scheduler, in the state directory.
pub(crate) const SCHEDULER_KUBECONFIG: &str = "scheduler.kubeconfig";

/// Why keys or certificates were not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum PkiError {
    /// The generator refused.
    #[error("cannot make the certificate {name}")]
    Generate {
        /// Its file name.
        name: String,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct KeyedCertificate {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl KeyedCertificate {
    fn credential(&self) -> Credential<'_> {
        Credential::Certificate {
            certificate: &self.certificate,
            key: &self.key,
        }
    }
}

/// The lab cluster's certificate authority and what it signed.
pub(crate) struct Pki {
    pub(crate) ca: String,
    pub(crate) ca_file: PathBuf,
    pub(crate) serving_certificate: PathBuf,
    pub(crate) serving_key: PathBuf,
    /// With which the API server asks kubelets for logs, and for a way into containers.
    pub(crate) kubelet_client_certificate: PathBuf,
    pub(crate) kubelet_client_key: PathBuf,
    pub(crate) service_account_key: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    /// Makes all of it and writes what the programs read.
    pub(crate) fn create(dir: &StateDir) -> Result<Self, PkiError> {
        let (ca, issuer) = authority().map_err(generating("ca"))?;
        let serving = serving("kube-apiserver", api_server_names(), &issuer)
            .map_err(generating("apiserver"))?;
        let masters = Some("system:masters");
        let kubelet_client = client("kube-apiserver-kubelet-client", masters, &issuer)
            .map_err(generating("kubelet-client"))?;
        // Entra accepts RS256 assertions only, so the cluster signs with RSA.
        let signer = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
            .map_err(generating("service-account"))?;
        Ok(Self {
            ca_file: dir.write("cluster-ca.pem", &ca)?,
            serving_certificate: dir.write("apiserver.pem", serving.certificate)?,
            serving_key: dir.write("apiserver.key", serving.key)?,
            kubelet_client_certificate: dir
                .write("kubelet-client.pem", kubelet_client.certificate)?,
            kubelet_client_key: dir.write("kubelet-client.key", kubelet_client.key)?,
            service_account_key: dir.write("service-account.key", signer.serialize_pem())?,
            ca,
            issuer,
        })
    }

    /// A client certificate for `user`, a member of `group` if given.
    pub(crate) fn client(
        &self,
        user: &str,
        group: Option<&str>,
    ) -> Result<KeyedCertificate, PkiError> {
        client(user, group, &self.issuer).map_err(generating(user))
    }

    /// Writes what the agents of a node prove themselves with to `folder` of the lab: the
    /// kubelet's `kubelet.pem` and `kubelet.key` as a server, and a kubeconfig of each.
    pub(crate) fn write_node(
        &self,
        dir: &StateDir,
        folder: &str,
        node: &NodeLayout,
    ) -> Result<(), PkiError> {
        let name = &node.name;
        let names = vec![name.clone(), node.address.to_string()];
        let serving = serving(name, names, &self.issuer).map_err(generating(name))?;
        dir.write(&format!("{folder}/kubelet.pem"), serving.certificate)?;
        dir.write(&format!("{folder}/kubelet.key"), serving.key)?;
        let kubelet = self.client(&format!("system:node:{name}"), Some("system:nodes"))?;
        let proxy = self.client("system:kube-proxy", None)?;
        let server = format!("https://{CONTROL_PLANE}:{API_SERVER_PORT}");
        for (program, certificate) in [("kubelet", &kubelet), ("kube-proxy", &proxy)] {
            let file = format!("{folder}/{program}.kubeconfig");
            dir.write(
                &file,
                render(name, &server, &self.ca, &certificate.credential()),
            )?;
        }
        Ok(())
    }
}

impl Pki {
    /// Writes the kubeconfigs of administrator, controllers and scheduler;
    /// `outside` is the API server's port on the machine's loopback.
    pub(crate) fn write_kubeconfigs(
        &self,
        dir: &StateDir,
        lab: &str,
        outside: u16,
    ) -> Result<(), PkiError> {
        let inside = format!("https://{CONTROL_PLANE}:{API_SERVER_PORT}");
        let outside = format!("https://127.0.0.1:{outside}");
        let admin = self.client("podid-lab-admin", Some("system:masters"))?;
        let manager = self.client("system:kube-controller-manager", None)?;
        let scheduler = self.client("system:kube-scheduler", None)?;
        for (name, server, certificate) in [
            (state::KUBECONFIG, &outside, &admin),
            (state::INNER_KUBECONFIG, &inside, &admin),
            (MANAGER_KUBECONFIG, &inside, &manager),
            (SCHEDULER_KUBECONFIG, &inside, &scheduler),
        ] {
            let credential = certificate.credential();
            dir.write(name, render(lab, server, &self.ca, &credential))?;
        }
        Ok(())
    }
}

fn generating(name: &str) -> impl FnOnce(rcgen::Error) -> PkiError {
    let name = name.to_owned();
    move |source| PkiError::Generate { name, source }
}

fn authority() -> Result<(String, Issuer<'static, KeyPair>), rcgen::Error> {
    let mut params = CertificateParams::new([])?;
    params
        .distinguished_name
        .push(DnType::CommonName, "podid lab cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), Issuer::new(params, key)))
}

fn client(
    user: &str,
    group: Option<&str>,
    issuer: &Issuer<'static, KeyPair>,
) -> Result<KeyedCertificate, rcgen::Error> {
    let mut params = CertificateParams::new([])?;
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    sign(params, issuer)
}

fn api_server_names() -> Vec<String> {
    vec![
        "127.0.0.1".to_owned(),
        CONTROL_PLANE.to_string(),
        "10.96.0.1".to_owned(),
        "localhost".to_owned(),
        ISSUER_HOST.to_owned(),
        "kubernetes".to_owned(),
        "kubernetes.default".to_owned(),
        "kubernetes.default.svc".to_owned(),
        "kubernetes.default.svc.cluster.local".to_owned(),
    ]
}

fn serving(
    common_name: &str,
    names: Vec<String>,
    issuer: &Issuer<'static, KeyPair>,
) -> Result<KeyedCertificate, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    sign(params, issuer)
}

fn sign(
    mut params: CertificateParams,
    issuer: &Issuer<'static, KeyPair>,
) -> Result<KeyedCertificate, rcgen::Error> {
    // Go's verifier wants the authority's key named; rcgen leaves it out.
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok(KeyedCertificate {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}
