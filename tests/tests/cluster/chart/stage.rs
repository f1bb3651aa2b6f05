//! A cluster without anything of podid, and helm in it. Tests take turns on it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use podid_lab::{Kubernetes, Lab};
use podid_tests::kubectl::Kubectl;
use podid_tests::manifests::{chart, helm};

use crate::fixture::{asked_release, options};

/// What an installation of podid can have, beside its namespace and its kinds.
const OF_PODID: &str = "jobs,configmaps,serviceaccounts,services,deployments,daemonsets,roles,rolebindings,\
    poddisruptionbudgets,networkpolicies,secrets,leases,clusterroles,clusterrolebindings,\
    validatingadmissionpolicies,validatingadmissionpolicybindings";
/// And where [`adds_the_drop`].
const OF_PODID_FOR_THE_DROP: &str = "mutatingadmissionpolicies,mutatingadmissionpolicybindings";
const SELECTOR: &str = "--selector=app.kubernetes.io/part-of=podid";

/// How long the API server may take to delete what it said it would.
const LIMIT: Duration = Duration::from_secs(120);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

static LAB: OnceLock<Mutex<Lab>> = OnceLock::new();

/// Nodes of these labs run no images: by this annotation the hook of `helm uninstall` ends well. The ring `gitops` tries
/// what it does.
pub(super) const ENDS: &str = "lab.podid.dev/exit-code";

/// What the operator has no default for, and what the lab needs.
pub(super) const FACTS: [&str; 3] = [
    "--set=operator.settings.tenantId=7e4a4700-0000-4000-8000-000000000001",
    "--set=operator.settings.clientId=c11e2700-0000-4000-8000-000000000001",
    r"--set-string=operator.podAnnotations.lab\.podid\.dev/exit-code=0",
];

pub(super) enum Stage {
    /// Whose kinds stay from test to test: the API server may take minutes to delete one.
    Shared(MutexGuard<'static, Lab>),
    /// Without podid's kinds.
    Fresh(Lab),
}

impl Stage {
    pub(super) fn enter() -> Self {
        let lab = LAB.get_or_init(|| Mutex::new(start("chart")));
        Self::Shared(lab.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A cluster of its own, for one test.
    pub(super) fn fresh(name: &str) -> Self {
        Self::Fresh(start(name))
    }

    fn lab(&self) -> &Lab {
        match self {
            Self::Shared(lab) => lab,
            Self::Fresh(lab) => lab,
        }
    }

    pub(super) fn kubectl(&self) -> Kubectl<'_> {
        Kubectl::of(self.lab())
    }

    /// Where clients find the API server.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.lab().kubeconfig()
    }

    /// What helm writes, or complains of.
    pub(super) fn helm(&self, arguments: &[&str]) -> Result<String, String> {
        let home = tempfile::tempdir().unwrap();
        let mut command = helm(home.path());
        command
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(arguments);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }

    /// Installs a chart, or makes the release what the chart and the arguments say.
    pub(super) fn release(&self, chart: &Path, arguments: &[&str]) -> Result<String, String> {
        let chart = chart.display().to_string();
        let place = ["--namespace=podid-system", "--create-namespace"];
        let upgrade = ["upgrade", "--install", "podid", &chart];
        self.helm(&[&upgrade[..], &place, &FACTS, arguments].concat())
    }

    pub(super) fn install(&self, arguments: &[&str]) {
        self.release(&chart(), arguments).unwrap();
    }

    /// Installs podid's kinds alone.
    pub(super) fn install_kinds(&self) {
        let kinds = chart().join("crds").display().to_string();
        let apply = ["apply", "--server-side", "--filename", &kinds];
        self.kubectl().run(&apply);
        self.until_kinds_are_established();
    }

    pub(super) fn until_kinds_are_established(&self) {
        let established = ["--for=condition=Established", "--timeout=60s"];
        let wait = [&["wait", "crd", "--all"][..], &established].concat();
        self.kubectl().run(&wait);
    }

    pub(super) fn uninstall(&self) {
        self.helm(&["uninstall", "podid", "--namespace=podid-system"])
            .unwrap();
    }

    /// Waits until nothing in the cluster is podid's but this, as [`left`](Self::left) names it. The API server
    /// deletes some after it has answered.
    pub(super) fn until_left(&self, expected: &[String]) {
        let began = Instant::now();
        loop {
            let left = self.left();
            if left == expected {
                return;
            }
            assert!(began.elapsed() < LIMIT, "left: {left:?}");
            thread::sleep(PAUSE);
        }
    }

    /// Everything in the cluster that is podid's, as `KIND/NAME`, sorted.
    fn left(&self) -> Vec<String> {
        let kinds = format!("{},customresourcedefinitions", of_podid());
        let all = ["get", &kinds, "--all-namespaces", "--output=name"];
        let said = self.kubectl().run(&[&all[..], &[SELECTOR]].concat());
        let mut left: Vec<String> = said.lines().map(str::to_owned).collect();
        left.sort();
        left
    }

    /// Removes everything of podid but its namespace and its kinds.
    pub(super) fn delete_all(&self) {
        let kinds = of_podid();
        let all = ["delete", &kinds, "--all-namespaces", "--ignore-not-found"];
        self.kubectl().run(&[&all[..], &[SELECTOR]].concat());
        // They are whose overlay they are in, and have no label of podid.
        self.kubectl()
            .run(&["delete", "podidentityclasses", "--all"]);
    }
}

/// Whether the API server of the labs has what adds the drop of NET_RAW.
pub(super) fn adds_the_drop() -> bool {
    asked_release().unwrap_or_default() == Kubernetes::V1_36
}

fn of_podid() -> String {
    match adds_the_drop() {
        true => format!("{OF_PODID},{OF_PODID_FOR_THE_DROP}"),
        false => OF_PODID.to_owned(),
    }
}

fn start(name: &str) -> Lab {
    Lab::up(options(&format!("cluster-ring-{name}"))).expect("a lab")
}

/// Looks until there is an answer.
pub(super) fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        thread::sleep(PAUSE);
    }
}
