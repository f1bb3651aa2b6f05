//! Nodes that run containers, by kubelet, containerd and runc. One lab for the tests of what runs
//! there; it ends with this process. Needs root and the lab's programs; fails without them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod ending;
mod kubectl;

use std::sync::OnceLock;

use podid_lab::{Lab, Lifetime, Network, NodeAgent, NodeKind, UpOptions};
use serde_json::{Value, json};

use kubectl::Kubectl;

/// Two nodes, one of them a VM in no scale set.
fn options(test: &str) -> UpOptions {
    UpOptions {
        name: format!("t-{test}-{}", std::process::id()),
        nodes: vec![NodeKind::Uniform, NodeKind::Vm],
        node_agent: NodeAgent::Kubelet,
        flux: podid_lab::Flux::None,
        lifetime: Lifetime::Caller,
        ..UpOptions::default()
    }
}

fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| Lab::up(options("containers")).unwrap())
}

fn kubectl() -> Kubectl<'static> {
    Kubectl::of(lab())
}

/// A container with a shell that runs `script`.
fn container(script: &str) -> Value {
    json!({
        "name": "app",
        "image": "lab.podid.test/box:1",
        "command": ["sh", "-c", script],
    })
}

fn pod(name: &str, script: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "containers": [container(script)]},
    })
}

fn job(name: &str, script: &str) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container(script)]}},
        },
    })
}

/// One pod on each node of a lab of two.
fn deployment(name: &str, script: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "topologySpreadConstraints": [{
                        "maxSkew": 1,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {"matchLabels": {"app": name}},
                    }],
                    "containers": [container(script)],
                },
            },
        },
    })
}

/// Prints the id of the VM that the metadata service takes the asker's node for.
const WHICH_VM: &str = "curl -sS --max-time 20 -H Metadata:true \
    'http://169.254.169.254/metadata/instance/compute/resourceId?api-version=2021-02-01&format=text'";
const STAYS: &str = "echo I am $(hostname); while :; do sleep 1; done";

#[test]
fn nodes_are_what_a_kubelet_says() {
    let nodes = kubectl().json(&["get", "nodes"]);
    let nodes = nodes["items"].as_array().unwrap();
    assert_eq!(nodes.len(), 2);
    for (node, (kind, id)) in nodes.iter().zip([
        (
            "uniform",
            "/virtualMachineScaleSets/nodes-vmss/virtualMachines/0",
        ),
        ("vm", "/virtualMachines/node-1"),
    ]) {
        let conditions = node["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|found| found["type"] == "Ready");
        assert_eq!(ready.unwrap()["status"], "True");
        let info = &node["status"]["nodeInfo"];
        let runtime = info["containerRuntimeVersion"].as_str().unwrap();
        assert!(runtime.starts_with("containerd://2."), "{runtime}");
        // A stand-in marks its version.
        assert_eq!(info["kubeletVersion"], "v1.36.4");
        assert_eq!(node["metadata"]["labels"]["lab.podid.dev/node-kind"], kind);
        let provider = node["spec"]["providerID"].as_str().unwrap();
        assert!(
            provider.starts_with("azure:///subscriptions/"),
            "{provider}"
        );
        assert!(provider.ends_with(id), "{provider}");
    }
}

#[test]
fn containers_of_a_deployment_can_be_looked_into() {
    let kubectl = kubectl();
    kubectl.apply(&deployment("web", STAYS));
    kubectl.run(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let pods = kubectl.json(&["get", "pods", "--selector=app=web"]);
    let pods = pods["items"].as_array().unwrap();
    let mut nodes = Vec::new();
    for pod in pods {
        let name = pod["metadata"]["name"].as_str().unwrap();
        nodes.push(pod["spec"]["nodeName"].as_str().unwrap());
        assert_eq!(kubectl.run(&["logs", name]), format!("I am {name}"));
        let address = pod["status"]["podIP"].as_str().unwrap();
        let inside = |script: &str| kubectl.output(&["exec", name, "--", "sh", "-c", script]);
        let hosts = inside("cat /etc/hosts").stdout;
        let hosts = String::from_utf8(hosts).unwrap();
        assert!(hosts.contains(address), "{hosts}");
        let vm = inside(WHICH_VM).stdout;
        let vm = String::from_utf8(vm).unwrap();
        assert!(
            vm.ends_with(&nodes.last().unwrap()["node-".len()..]),
            "{vm}"
        );
        let ended = inside("exit 7");
        assert_eq!(ended.status.code(), Some(7), "{ended:?}");
    }
    nodes.sort_unstable();
    assert_eq!(nodes, ["node-0", "node-1"]);
    kubectl.run(&[
        "delete",
        "deployment",
        "web",
        "--cascade=foreground",
        "--timeout=60s",
    ]);
    let left = kubectl.json(&["get", "pods", "--selector=app=web"]);
    assert_eq!(left["items"], json!([]));
}

#[test]
fn a_job_ends_by_itself_as_its_container_ends() {
    let kubectl = kubectl();
    kubectl.apply(&job("good", "echo done"));
    kubectl.apply(&job("bad", "exit 3"));
    kubectl.run(&[
        "wait",
        "job/good",
        "--for=condition=Complete",
        "--timeout=120s",
    ]);
    kubectl.run(&[
        "wait",
        "job/bad",
        "--for=condition=Failed",
        "--timeout=120s",
    ]);
    assert_eq!(kubectl.run(&["logs", "job/good"]), "done");
    let pods = kubectl.json(&["get", "pods", "--selector=job-name=bad"]);
    let state = &pods["items"][0]["status"]["containerStatuses"][0]["state"];
    assert_eq!(state["terminated"]["exitCode"], 3);
}

#[test]
fn a_pod_reaches_the_api_server_as_a_service() {
    let kubectl = kubectl();
    let ask = "T=/var/run/secrets/kubernetes.io/serviceaccount; \
        curl -sS --max-time 20 --cacert $T/ca.crt -H \"Authorization: Bearer $(cat $T/token)\" \
        https://$KUBERNETES_SERVICE_HOST/apis/authentication.k8s.io/v1/selfsubjectreviews \
        -H 'Content-Type: application/json' -d '{}'; echo; echo $KUBERNETES_SERVICE_HOST";
    kubectl.apply(&pod("asks", ask));
    kubectl.wait_ended("asks", "Succeeded");
    let said = kubectl.run(&["logs", "asks"]);
    assert!(
        said.contains("system:serviceaccount:default:default"),
        "{said}"
    );
    assert!(said.ends_with("10.96.0.1"), "{said}");
}

/// The kubelet of a node stands in for a server in a pod on the node's network: it refuses whom it
/// does not know.
#[test]
fn a_service_and_a_forwarded_port_lead_to_a_pod() {
    let kubectl = kubectl();
    let mut server = pod("server", STAYS);
    server["metadata"]["labels"] = json!({"app": "server"});
    server["spec"]["hostNetwork"] = json!(true);
    kubectl.apply(&server);
    kubectl.apply(&json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server"},
        "spec": {
            "selector": {"app": "server"},
            "ports": [{"port": 443, "targetPort": 10250}],
        },
    }));
    let ready = [
        "wait",
        "pod/server",
        "--for=condition=Ready",
        "--timeout=120s",
    ];
    kubectl.run(&ready);
    let ask = "until curl -sSk --max-time 5 https://$SERVER_SERVICE_HOST/pods; do :; done";
    kubectl.apply(&pod("client", ask));
    kubectl.wait_ended("client", "Succeeded");
    assert_eq!(
        kubectl.run(&["logs", "client"]).lines().last(),
        Some("Unauthorized")
    );
    assert_eq!(kubectl.through_port("server", 10248, "/healthz"), "ok");
}

#[test]
fn a_container_has_the_memory_that_it_may_have() {
    let kubectl = kubectl();
    let mut greedy = pod(
        "greedy",
        "head -c 200M /dev/zero | tail -c 200M >/dev/null; exit $?",
    );
    greedy["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": "32Mi"}});
    kubectl.apply(&greedy);
    kubectl.wait_ended("greedy", "Failed");
    let pod = kubectl.json(&["get", "pod", "greedy"]);
    let state = &pod["status"]["containerStatuses"][0]["state"];
    assert_eq!(state["terminated"]["reason"], "OOMKilled", "{state}");
}

#[test]
fn a_lab_of_stand_ins_runs_beside_it() {
    let kubectl = kubectl();
    let stand_ins = Lab::up(UpOptions {
        node_agent: NodeAgent::StandIn,
        network: Network::Routed,
        ..options("beside")
    })
    .unwrap();
    let other = Kubectl::of(&stand_ins);
    for (lab, version) in [(&kubectl, "v1.36.4"), (&other, "v1.36.4+podid-lab")] {
        lab.apply(&pod("both", STAYS));
        lab.run(&[
            "wait",
            "pod/both",
            "--for=condition=Ready",
            "--timeout=120s",
        ]);
        let nodes = lab.json(&["get", "nodes"]);
        let info = &nodes["items"][0]["status"]["nodeInfo"];
        assert_eq!(info["kubeletVersion"], version);
    }
}
