//! The command lines of the control plane's programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::pki::Pki;
use super::supervise::Program;
use crate::layout::{API_SERVER_PORT, CONTROL_PLANE, FLUX_NAMESPACE, ISSUER, SERVICE_RANGE};
use crate::options::{Flux, Target};
use crate::state::{self, StateDir};
use crate::tools::Toolset;

/// Where etcd takes clients.
pub(crate) const ETCD: &str = "http://127.0.0.1:2379";

/// The controllers of Flux, with the ports on loopback where they answer `/readyz` and
/// serve metrics; free, because the control plane's namespace is the lab's own.
const KUSTOMIZE_CONTROLLER: (&str, u16, u16) = ("kustomize-controller", 9440, 9441);
const HELM_CONTROLLER: (&str, u16, u16) = ("helm-controller", 9450, 9451);

/// What the API server writes down: who of podid's own accounts called what, and whether they might; and the pods that
/// anybody makes, with what admission policies say of them. The lists and watches of others would be many, and nobody
/// reads them.
pub(crate) const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    userGroups: [system:serviceaccounts:podid-system]
  - level: Metadata
    verbs: [create]
    resources: [{group: \"\", resources: [pods]}]
  - level: None
";

/// Makes [`Program`]s of the control plane.
pub(crate) struct Cluster<'a> {
    pub(crate) tools: &'a Toolset,
    pub(crate) dir: &'a StateDir,
    pub(crate) pki: &'a Pki,
    pub(crate) flux: Flux,
    /// Environment of every program in the lab.
    pub(crate) env: &'a BTreeMap<String, String>,
}

impl Cluster<'_> {
    fn program(&self, name: &str, executable: PathBuf, arguments: Vec<String>) -> Program {
        let argv = std::iter::once(executable.to_string_lossy().into_owned()).chain(arguments);
        Program {
            name: name.to_owned(),
            component: true,
            target: Target::ControlPlane,
            argv: argv.collect(),
            env: self.env.clone(),
            cwd: self.dir.path().to_owned(),
            restart: true,
        }
    }

    /// etcd, with its data on a tmpfs that ends with the lab: nothing is synced to a disk.
    pub(crate) fn etcd(&self) -> Program {
        let arguments = vec![
            "--name=lab".to_owned(),
            flag("data-dir", &self.dir.file("etcd").join("data")),
            format!("--listen-client-urls={ETCD}"),
            format!("--advertise-client-urls={ETCD}"),
            "--listen-peer-urls=http://127.0.0.1:2380".to_owned(),
            "--initial-advertise-peer-urls=http://127.0.0.1:2380".to_owned(),
            "--initial-cluster=lab=http://127.0.0.1:2380".to_owned(),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        self.program("etcd", self.tools.etcd(), arguments)
    }

    pub(crate) fn api_server(&self) -> Program {
        let arguments = vec![
            format!("--etcd-servers={ETCD}"),
            format!("--advertise-address={CONTROL_PLANE}"),
            format!("--secure-port={API_SERVER_PORT}"),
            flag("tls-cert-file", &self.pki.serving_certificate),
            flag("tls-private-key-file", &self.pki.serving_key),
            flag("client-ca-file", &self.pki.ca_file),
            flag("service-account-key-file", &self.pki.service_account_key),
            flag(
                "service-account-signing-key-file",
                &self.pki.service_account_key,
            ),
            format!("--service-account-issuer={ISSUER}"),
            format!("--service-account-jwks-uri={ISSUER}/openid/v1/jwks"),
            format!("--service-cluster-ip-range={SERVICE_RANGE}"),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            "--allow-privileged=true".to_owned(),
            flag(
                "kubelet-client-certificate",
                &self.pki.kubelet_client_certificate,
            ),
            flag("kubelet-client-key", &self.pki.kubelet_client_key),
            flag("kubelet-certificate-authority", &self.pki.ca_file),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            flag("audit-policy-file", &self.dir.file(state::AUDIT_POLICY)),
            flag("audit-log-path", &self.dir.file(state::AUDIT_LOG)),
            // It ends with the lab, and who reads it wants all of it: in one file, of up to so many MB.
            "--audit-log-maxsize=8192".to_owned(),
        ];
        self.program("kube-apiserver", self.tools.kube_apiserver(), arguments)
    }

    /// `kubeconfig` holds its own identity; each of its loops uses a service
    /// account of its own, as in a real cluster.
    pub(crate) fn controller_manager(&self, kubeconfig: &Path) -> Program {
        let arguments = vec![
            flag("kubeconfig", kubeconfig),
            flag(
                "service-account-private-key-file",
                &self.pki.service_account_key,
            ),
            flag("root-ca-file", &self.pki.ca_file),
            "--use-service-account-credentials=true".to_owned(),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            "--kube-api-qps=200".to_owned(),
            "--kube-api-burst=400".to_owned(),
        ];
        let executable = self.tools.bin("kube-controller-manager");
        self.program("kube-controller-manager", executable, arguments)
    }

    pub(crate) fn scheduler(&self, kubeconfig: &Path) -> Program {
        let arguments = vec![
            flag("kubeconfig", kubeconfig),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
        ];
        self.program(
            "kube-scheduler",
            self.tools.bin("kube-scheduler"),
            arguments,
        )
    }

    /// The controllers of Flux that run, each with the address that says it is ready.
    pub(crate) fn flux_controllers(&self) -> Vec<(Program, String)> {
        let controllers = match self.flux {
            Flux::None => &[][..],
            Flux::Kustomize => &[KUSTOMIZE_CONTROLLER],
            Flux::All => &[KUSTOMIZE_CONTROLLER, HELM_CONTROLLER],
        };
        let one = |&(name, health, metrics)| {
            let ready = format!("http://127.0.0.1:{health}/readyz");
            (self.flux_controller(name, health, metrics), ready)
        };
        controllers.iter().map(one).collect()
    }

    /// Flux's controllers read the kubeconfig's path from the environment only.
    fn flux_controller(&self, name: &str, health: u16, metrics: u16) -> Program {
        let arguments = vec![
            "--watch-all-namespaces".to_owned(),
            "--enable-leader-election=false".to_owned(),
            "--events-addr=".to_owned(),
            format!("--health-addr=127.0.0.1:{health}"),
            format!("--metrics-addr=127.0.0.1:{metrics}"),
            "--requeue-dependency=1s".to_owned(),
        ];
        let mut program = self.program(name, self.tools.bin(name), arguments);
        let own = [
            ("KUBECONFIG", self.dir.inner_kubeconfig()),
            ("RUNTIME_NAMESPACE", PathBuf::from(FLUX_NAMESPACE)),
        ];
        for (variable, value) in own {
            program
                .env
                .insert(variable.to_owned(), value.to_string_lossy().into_owned());
        }
        program
    }
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
