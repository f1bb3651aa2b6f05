//! Keys and certificates of one lab, made anew each time.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize,
};

use crate::kubeconfig::{Credential, render};
use crate::layout::{API_SERVER_PORT, CONTROL_PLANE, ISSUER_HOST};
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

/// The lab cluster's certificate authority and what it signed.
pub(crate) struct Pki {
    pub(crate) ca: String,
    pub(crate) ca_file: PathBuf,
    pub(crate) serving_certificate: PathBuf,
    pub(crate) serving_key: PathBuf,
    pub(crate) service_account_key: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    /// Makes all of it and writes what the programs read.
    pub(crate) fn create(dir: &StateDir) -> Result<Self, PkiError> {
        let (ca, issuer) = authority().map_err(generating("ca"))?;
        let serving = serving(&issuer).map_err(generating("apiserver"))?;
        // Entra accepts RS256 assertions only, so the cluster signs with RSA.
        let signer = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
            .map_err(generating("service-account"))?;
        Ok(Self {
            ca_file: dir.write("cluster-ca.pem", &ca)?,
            serving_certificate: dir.write("apiserver.pem", serving.certificate)?,
            serving_key: dir.write("apiserver.key", serving.key)?,
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
        let signed = || {
            let mut params = CertificateParams::new([])?;
            params.distinguished_name.push(DnType::CommonName, user);
            if let Some(group) = group {
                params
                    .distinguished_name
                    .push(DnType::OrganizationName, group);
            }
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            sign(params, &self.issuer)
        };
        signed().map_err(generating(user))
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
            let credential = Credential::Certificate {
                certificate: &certificate.certificate,
                key: &certificate.key,
            };
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

fn serving(issuer: &Issuer<'static, KeyPair>) -> Result<KeyedCertificate, rcgen::Error> {
    let names = [
        "127.0.0.1".to_owned(),
        CONTROL_PLANE.to_string(),
        "10.96.0.1".to_owned(),
        "localhost".to_owned(),
        ISSUER_HOST.to_owned(),
        "kubernetes".to_owned(),
        "kubernetes.default".to_owned(),
        "kubernetes.default.svc".to_owned(),
        "kubernetes.default.svc.cluster.local".to_owned(),
    ];
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
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
