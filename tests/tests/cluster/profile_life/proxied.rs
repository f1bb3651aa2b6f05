//! The operator of the lab, with a proxy between it and the API server.

use std::io::Write;
use std::net::TcpListener;

use podid_lab::Side;
use podid_lab::net::in_namespace;
use podid_tests::api_proxy::{ApiProxy, Fault};
use tempfile::NamedTempFile;

use crate::fixture::config_of;
use crate::stage::Stage;

/// Goes through the proxy until this is dropped.
pub(super) struct Proxied<'a> {
    stage: &'a Stage,
    pub(super) proxy: ApiProxy,
    _kubeconfig: NamedTempFile,
}

impl<'a> Proxied<'a> {
    /// Starts the operator anew; what goes wrong does so from its first call on.
    pub(super) async fn start(stage: &'a Stage, faults: impl IntoIterator<Item = Fault>) -> Self {
        let account = ("podid-system", "podid-operator");
        let rights = stage
            .lab
            .service_account_kubeconfig(account.0, account.1, Side::Outside);
        let rights = config_of(&rights.expect("a kubeconfig")).await;
        let listen = || TcpListener::bind("127.0.0.1:0");
        let listener = in_namespace(stage.control_plane(), listen)
            .unwrap()
            .unwrap();
        let proxy = ApiProxy::start(listener, rights).expect("a proxy");
        faults.into_iter().for_each(|fault| proxy.fault(fault));

        let mut kubeconfig = NamedTempFile::new().expect("a file");
        let text = proxy.kubeconfig();
        kubeconfig.write_all(text.as_bytes()).expect("a file");
        let path = kubeconfig.path().display().to_string();
        stage.replace_operator(&[("PODID_KUBECONFIG", &path)]);
        Self {
            stage,
            proxy,
            _kubeconfig: kubeconfig,
        }
    }
}

impl Drop for Proxied<'_> {
    fn drop(&mut self) {
        self.stage.replace_operator(&[]);
    }
}
