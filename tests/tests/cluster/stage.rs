//! A lab of its own in which the operator runs, for tests of what it does to machines. Tests take
//! turns on it: they count calls, break the cloud and kill the operator.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::OnceLock;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};
use podid_azure::{
    Arm, ArmCompute, Compute, ComputeTarget, IdentityId, IdentityPatch, ResourceGroupId,
};
use podid_lab::control::Service;
use podid_lab::layout::{
    LOCATION, NODE_GROUP, OPERATOR_CLIENT_ID, RESOURCE_GROUP, SUBSCRIPTION, TENANT,
};
use podid_lab::net::in_namespace;
use podid_lab::{Lab, NodeKind, Side, Target, UpOptions, install};
use podid_tests::azure;
use podid_tests::programs::{self, repository};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::fixture::{eventually, options};

const OPERATOR: &str = "podid-operator-0";
const SECOND_OPERATOR: &str = "podid-operator-1";

/// Nodes: two instances of one scale set, and machines of their own.
pub(crate) const SET_NODES: [&str; 2] = ["node-0", "node-1"];
pub(crate) const VM_NODES: [&str; 2] = ["node-2", "node-3"];

static LAB: OnceLock<Lab> = OnceLock::new();
static TURN: Mutex<()> = Mutex::const_new(());

/// The lab, for the one test whose turn it is.
pub(crate) struct Stage {
    pub(crate) lab: &'static Lab,
    pub(crate) client: Client,
    http: reqwest::Client,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    pub(crate) async fn enter() -> Self {
        let turn = TURN.lock().await;
        podid_runtime::process::init();
        let lab = tokio::task::spawn_blocking(|| LAB.get_or_init(start))
            .await
            .expect("a lab");
        let kubeconfig = Kubeconfig::read_from(lab.kubeconfig()).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .expect("a config");
        let client = Client::try_from(config).expect("a client");
        let stage = Self {
            lab,
            client,
            http: reqwest::Client::new(),
            _turn: turn,
        };
        stage.until_quiet().await;
        stage.heal().await;
        stage
    }

    /// Makes an identity in Azure; its resource id and client id.
    pub(crate) async fn identity(&self, name: &str) -> (String, String) {
        let seed = json!({
            "subscriptions": [SUBSCRIPTION],
            "location": LOCATION,
            "identities": [{ "name": name, "resourceGroup": RESOURCE_GROUP }],
        });
        self.admin(Method::POST, "/seed", Some(seed)).await;
        self.find_identity(name).await
    }

    /// Resource id and client id of an identity.
    pub(crate) async fn find_identity(&self, name: &str) -> (String, String) {
        let state = self.admin(Method::GET, "/state", None).await;
        let identities = state["identities"].as_array().expect("identities");
        let found = identities
            .iter()
            .find(|identity| ends_with(&identity["id"], name));
        let found = found.expect("the identity");
        let text = |field: &str| found[field].as_str().expect("text").to_owned();
        (text("id"), text("clientId"))
    }

    /// Last words of the ids of the identities that a machine carries, sorted. It is named by a node that the lab began
    /// with, or by its own name or id.
    pub(crate) async fn carried(&self, node: &str) -> Vec<String> {
        let state = self.admin(Method::GET, "/state", None).await;
        let name = if SET_NODES.contains(&node) { SET } else { node };
        let machine = machines(&state).find(|machine| ends_with(&machine["id"], name));
        let ids = machine.expect("the machine")["userAssigned"].as_array();
        let last = |id: &Value| id.as_str()?.rsplit('/').next().map(str::to_lowercase);
        let mut names: Vec<String> = ids.expect("ids").iter().filter_map(last).collect();
        names.sort();
        names
    }

    /// Looks until Azure has done what was asked of it before.
    pub(crate) async fn until_quiet(&self) {
        eventually("the end of all changes", async || {
            let state = self.admin(Method::GET, "/state", None).await;
            let quiet = machines(&state).all(|machine| machine["provisioningState"] == "Succeeded");
            quiet.then_some(())
        })
        .await;
    }

    /// Calls of an operation about the resource of this name or id, as their statuses, since this test began.
    pub(crate) async fn calls(&self, operation: &str, name: &str) -> Vec<u64> {
        let calls = self
            .admin(Method::GET, &format!("/calls?operation={operation}"), None)
            .await;
        let calls = calls["calls"].as_array().expect("calls");
        let of_name = calls
            .iter()
            .filter(|call| ends_with(&call["resource"], name));
        of_name.filter_map(|call| call["status"].as_u64()).collect()
    }

    /// Makes something go wrong.
    pub(crate) async fn fault(&self, fault: Value) {
        self.admin(Method::POST, "/faults", Some(fault)).await;
    }

    /// Nothing goes wrong any more.
    pub(crate) async fn heal(&self) {
        self.admin(Method::DELETE, "/faults", None).await;
        self.admin(Method::DELETE, "/calls", None).await;
    }

    /// Kills the operator, without a chance to tidy up; it comes back by itself.
    pub(crate) fn kill_operator(&self) {
        self.lab.kill_service(OPERATOR, 9).expect("the operator");
    }

    /// The same, where it may just have been killed.
    pub(crate) fn kill_operator_again(&self) {
        let _not_running = self.lab.kill_service(OPERATOR, 9);
    }

    /// Ends the operator until [`start_operator`](Self::start_operator).
    pub(crate) fn stop_operator(&self) {
        self.lab.kill_service(OPERATOR, 9).expect("the operator");
        self.lab.stop_service(OPERATOR).expect("the operator");
    }

    pub(crate) fn start_operator(&self) {
        self.start_operator_with(&[]);
    }

    /// The operator with further settings.
    pub(crate) fn start_operator_with(&self, settings: &[(&str, &str)]) {
        let settings = settings.iter();
        let service = settings.fold(operator(self.lab, 0), |service, (name, value)| {
            service.env(*name, *value)
        });
        self.lab
            .spawn_service(service)
            .expect("the operator starts");
    }

    /// The operator from its start, with other settings; it may be anywhere in its life.
    pub(crate) fn replace_operator(&self, settings: &[(&str, &str)]) {
        self.kill_operator_again();
        self.lab.stop_service(OPERATOR).expect("the operator");
        self.start_operator_with(settings);
    }

    /// Ends the operator in good order, until [`start_operator`](Self::start_operator).
    pub(crate) fn terminate_operator(&self) {
        self.lab.stop_service(OPERATOR).expect("the operator");
    }

    /// Stops the operator's process where it is, or has it go on.
    pub(crate) fn freeze_operator(&self, frozen: bool) {
        let signal = if frozen { SIGSTOP } else { SIGCONT };
        let sent = self.lab.kill_service(OPERATOR, signal as i32);
        sent.expect("the operator");
    }

    /// How often the operator has been started again by itself.
    pub(crate) fn operator_restarts(&self) -> u32 {
        let status = self.lab.status().expect("a status");
        let mut programs = status.programs.into_iter();
        let operator = programs.find(|program| program.name == OPERATOR);
        operator.expect("the operator").restarts
    }

    /// Status of the answer of a replica to a probe.
    pub(crate) fn probe(&self, replica: u16, path: &str) -> Option<String> {
        let ask = || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 8081 + replica)).ok()?;
            let request = format!("GET {path} HTTP/1.0\r\n\r\n");
            stream.write_all(request.as_bytes()).ok()?;
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).ok()?;
            line.split(' ').nth(1).map(str::to_owned)
        };
        in_namespace(self.control_plane(), ask).expect("the lab")
    }

    /// Where the operator runs.
    pub(crate) fn control_plane(&self) -> PathBuf {
        let control_plane = self.lab.network_namespace(&Target::ControlPlane);
        control_plane.expect("the control plane")
    }

    /// A second replica beside the first.
    pub(crate) fn start_second_operator(&self) {
        self.lab
            .spawn_service(operator(self.lab, 1))
            .expect("the second operator starts");
    }

    /// Ends the second replica in good order.
    pub(crate) fn stop_second_operator(&self) {
        self.lab
            .stop_service(SECOND_OPERATOR)
            .expect("the second operator");
    }

    /// Takes an identity off a machine, as somebody else with the rights could.
    pub(crate) async fn take_off(&self, node: &str, identity: &str) {
        let group = ResourceGroupId::new(SUBSCRIPTION, NODE_GROUP);
        let machine = ComputeTarget::Vm {
            group,
            name: node.to_owned(),
        };
        self.take_off_machine(&machine, identity).await;
    }

    /// The same for any machine.
    pub(crate) async fn take_off_machine(&self, machine: &ComputeTarget, identity: &str) {
        let compute = ArmCompute::new(&self.arm());
        let current = compute
            .get_identity(machine)
            .await
            .unwrap()
            .expect("the machine");
        let identity = IdentityId::new(SUBSCRIPTION, RESOURCE_GROUP, identity);
        let patch = IdentityPatch::new(&current, [], [identity]);
        compute.patch_identity(machine, &patch, None).await.unwrap();
    }

    /// Azure, signed in as the operator is.
    pub(crate) fn arm(&self) -> Arm {
        azure::as_operator(self.lab)
    }

    /// Asks the simulator itself.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}{path}", self.lab.sim_admin_url());
        let mut request = self.http.request(method, &url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let reply = request.send().await.expect("the simulator answers");
        let (status, text) = (reply.status(), reply.text().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Looks until a machine carries the identity, or until it does not.
    pub(crate) async fn until_carried(&self, node: &str, identity: &str, carried: bool) {
        let what = format!("{identity} on {node}: {carried}");
        eventually(&what, async || {
            let is = self.carried(node).await.iter().any(|name| name == identity);
            (is == carried).then_some(())
        })
        .await;
    }
}

/// Name of the scale set that [`SET_NODES`] belong to.
pub(crate) const SET: &str = podid_lab::layout::UNIFORM_SET;

fn start() -> Lab {
    let options = UpOptions {
        nodes: vec![
            NodeKind::Uniform,
            NodeKind::Uniform,
            NodeKind::Vm,
            NodeKind::Vm,
        ],
        ..options("operator")
    };
    let lab = Lab::up(options).expect("a lab");
    install::manifests(&lab, &repository().join("kustomize/cluster")).expect("podid's manifests");
    lab.spawn_service(operator(&lab, 0))
        .expect("the operator starts");
    lab
}

/// A replica of the operator, with an eye on machines more often than usual. As a program and not as a pod: tests
/// kill it, and start it when they say.
fn operator(lab: &Lab, replica: u16) -> Service {
    let account = ("podid-system", "podid-operator");
    let kubeconfig = lab.service_account_kubeconfig(account.0, account.1, Side::Inside);
    let token = lab.service_account_token(account.0, account.1, "api://AzureADTokenExchange");
    let name = format!("podid-operator-{replica}");
    let argv = [programs::program("podid-operator").display().to_string()];
    let variables = [
        (
            "PODID_KUBECONFIG",
            kubeconfig.expect("a kubeconfig").display().to_string(),
        ),
        ("PODID_ADMIN_ADDR", format!("127.0.0.1:{}", 8081 + replica)),
        ("PODID_REPLICA", name.clone()),
        ("PODID_TENANT_ID", TENANT.to_owned()),
        ("PODID_CLIENT_ID", OPERATOR_CLIENT_ID.to_owned()),
        (
            "PODID_FEDERATED_TOKEN_FILE",
            token.expect("a token").display().to_string(),
        ),
        ("PODID_TARGET_INTERVAL", "3s".to_owned()),
    ];
    let service = Service::new(&name, Target::ControlPlane, argv).restarting();
    variables
        .into_iter()
        .fold(service, |service, (name, value)| service.env(name, value))
}

fn machines(state: &Value) -> impl Iterator<Item = &Value> {
    let of_kind = |kind: &str| state[kind].as_array().expect("machines").iter();
    of_kind("scaleSets").chain(of_kind("virtualMachines"))
}

/// Whether an id is this one, or ends with this name.
fn ends_with(id: &Value, end: &str) -> bool {
    let id = id.as_str().map(str::to_lowercase).unwrap_or_default();
    let rest = id.strip_suffix(&end.to_lowercase());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}
