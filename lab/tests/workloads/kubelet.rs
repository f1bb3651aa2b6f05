//! Pods that the API server binds to lab nodes.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use podid_lab::Target;
use serde_json::json;

use super::space::{Space, condition, is_ready, lab, phase, wait};

#[tokio::test]
async fn nodes_name_their_machines_and_are_ready() {
    let space = Space::new().await;
    let nodes: Api<Node> = Api::all(space.client.clone());
    for (name, machine) in [
        (
            "node-0",
            "/virtualMachineScaleSets/nodes-vmss/virtualMachines/0",
        ),
        (
            "node-1",
            "/providers/Microsoft.Compute/virtualMachines/node-1",
        ),
    ] {
        let node = nodes.get(name).await.unwrap();
        let spec = node.spec.unwrap();
        let provider = spec.provider_id.unwrap();
        assert!(
            provider.starts_with("azure:///subscriptions/"),
            "{provider}"
        );
        assert!(provider.ends_with(machine), "{provider}");
        assert_eq!(spec.taints.unwrap_or_default(), [], "{name} takes no pods");
        let conditions = node.status.unwrap().conditions.unwrap();
        assert!(
            conditions
                .iter()
                .any(|found| found.type_ == "Ready" && found.status == "True")
        );
    }
}

#[tokio::test]
async fn a_pod_gets_what_a_kubelet_gives_it() {
    let space = Space::new().await;
    let pod = space
        .ready_pod("app", json!({"spec": {"nodeName": "node-1"}}))
        .await;
    let status = pod.status.unwrap();
    let address = status.pod_ip.unwrap();
    assert!(address.starts_with("10.244.1."), "{address}");
    assert_eq!(status.pod_ips.unwrap()[0].ip, address);
    assert_eq!(status.host_ip.as_deref(), Some("10.200.0.11"));
    assert_eq!(status.phase.as_deref(), Some("Running"));
    assert!(status.start_time.is_some());
    assert!(status.container_statuses.unwrap()[0].ready);

    assert_eq!(space.output("app", &["hostname"]), "app");
    let hosts = space.output("app", &["cat", "/etc/hosts"]);
    assert!(hosts.contains(&format!("{address}\tapp")), "{hosts}");
    assert!(hosts.contains("login.microsoftonline.com"), "{hosts}");
    let cgroup = space.output("app", &["cat", "/proc/self/cgroup"]);
    let uid = pod.metadata.uid.unwrap().replace('-', "_");
    let slice = format!("/kubepods-besteffort-pod{uid}.slice/cri-containerd-");
    assert!(cgroup.contains(&slice), "{cgroup}");
    let reach = "exec 3<>/dev/tcp/10.200.0.1/6443";
    space.output("app", &["bash", "-c", reach]);
}

#[tokio::test]
async fn a_deployments_pods_are_scheduled_and_run() {
    let space = Space::new().await;
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "web"}]},
            },
        },
    }))
    .unwrap();
    let deployments: Api<Deployment> = space.api();
    deployments
        .create(&PostParams::default(), &deployment)
        .await
        .unwrap();
    wait(
        &deployments,
        "web",
        "to have three replicas",
        |found: Option<&Deployment>| {
            let available = found.and_then(|found| found.status.as_ref()?.available_replicas);
            available == Some(3)
        },
    )
    .await;
}

#[tokio::test]
async fn deletion_takes_all_away_and_honours_finalizers() {
    let space = Space::new().await;
    let held = json!({"metadata": {"finalizers": ["test.podid.dev/hold"]}});
    let pod = space.ready_pod("held", held).await;
    let place = space.place("held").unwrap();
    let mut child = space
        .command("held", &["sleep", "600"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pods: Api<Pod> = space.api();
    pods.delete("held", &DeleteParams::default()).await.unwrap();
    let ended = space
        .pod_once("held", "to be down", |pod| {
            pod.metadata.deletion_grace_period_seconds == Some(0)
        })
        .await;
    assert_eq!(ended.metadata.uid, pod.metadata.uid);
    assert_eq!(phase(&ended), "Failed");
    assert!(!is_ready(&ended));
    assert!(space.place("held").is_none());
    assert!(!place.cgroup.exists(), "{} is left", place.cgroup.display());
    assert!(!child.wait().unwrap().success());
    let release = json!({"metadata": {"finalizers": null}});
    pods.patch("held", &PatchParams::default(), &Patch::Merge(release))
        .await
        .unwrap();
    space.pod_gone("held").await;
}

#[tokio::test]
async fn processes_that_do_not_end_are_killed_after_the_grace() {
    let space = Space::new().await;
    space.ready_pod("stubborn", json!({})).await;
    // It says when it is deaf to SIGTERM.
    let deaf = "trap '' TERM; echo deaf; while :; do sleep 1; done";
    let mut child = space
        .command("stubborn", &["bash", "-c", deaf])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    assert_eq!(line, "deaf\n");
    let pods: Api<Pod> = space.api();
    pods.delete("stubborn", &DeleteParams::default())
        .await
        .unwrap();
    space.pod_gone("stubborn").await;
    let status = child.wait().unwrap();
    assert!(
        status.signal() == Some(9) || status.code() == Some(128 + 9),
        "{status:?}"
    );
}

#[tokio::test]
async fn a_forced_deletion_leaves_nothing_on_the_node() {
    let space = Space::new().await;
    space.ready_pod("app", json!({})).await;
    let place = space.place("app").unwrap();
    let pods: Api<Pod> = space.api();
    let now = DeleteParams {
        grace_period_seconds: Some(0),
        ..DeleteParams::default()
    };
    pods.delete("app", &now).await.unwrap();
    space.pod_gone("app").await;
    // The object goes first; the node follows without anybody asking again.
    let swept = async {
        while place.cgroup.exists() || space.place("app").is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), swept)
        .await
        .expect("the pod's cgroup or place is left");
}

#[tokio::test]
async fn jobs_complete_by_annotation() {
    let space = Space::new().await;
    for (name, code, condition) in [("good", "0", "Complete"), ("bad", "3", "Failed")] {
        let job: Job = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {
                "backoffLimit": 0,
                "template": {
                    "metadata": {"annotations": {"lab.podid.dev/exit-code": code}},
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{"name": "main", "image": "job"}],
                    },
                },
            },
        }))
        .unwrap();
        let jobs: Api<Job> = space.api();
        jobs.create(&PostParams::default(), &job).await.unwrap();
        wait(
            &jobs,
            name,
            &format!("to be {condition}"),
            |job: Option<&Job>| {
                let conditions = job.and_then(|job| job.status.as_ref()?.conditions.as_ref());
                conditions.is_some_and(|all| all.iter().any(|found| found.type_ == condition))
            },
        )
        .await;
    }
}

#[tokio::test]
async fn a_pod_on_the_host_network_is_its_node() {
    let space = Space::new().await;
    let host = json!({"spec": {"nodeName": "node-0", "hostNetwork": true}});
    let pod = space.ready_pod("host", host).await;
    assert_eq!(pod.status.unwrap().pod_ip.as_deref(), Some("10.200.0.10"));
    let network = ["readlink", "/proc/self/ns/net"];
    let node = lab()
        .command(&Target::node("node-0"), network)
        .output()
        .unwrap();
    let node = String::from_utf8(node.stdout).unwrap();
    assert_eq!(space.output("host", &network), node.trim());
}

#[tokio::test]
async fn a_bad_pod_is_told_and_does_not_hold_up_the_next() {
    let space = Space::new().await;
    let bad = json!({
        "metadata": {"annotations": {"lab.podid.dev/exit-code": "none"}},
        "spec": {"restartPolicy": "Never", "nodeName": "node-0"},
    });
    space.pod("bad", bad).await;
    let text = space.event("bad", "InvalidExitCode").await;
    assert!(text.contains("lab.podid.dev/exit-code"), "{text}");
    space
        .ready_pod("good", json!({"spec": {"nodeName": "node-0"}}))
        .await;
}

#[tokio::test]
async fn a_killed_pause_is_replaced() {
    let space = Space::new().await;
    space.ready_pod("app", json!({})).await;
    let before = space.place("app").unwrap();
    let kill = ["kill", "-KILL", &before.pid.to_string()];
    assert!(
        lab()
            .command(&Target::ControlPlane, kill)
            .status()
            .unwrap()
            .success()
    );
    space
        .pod_once("app", "to be restarted", |pod| {
            let statuses = pod
                .status
                .as_ref()
                .and_then(|status| status.container_statuses.as_ref());
            statuses.is_some_and(|all| all[0].restart_count == 1 && all[0].ready)
        })
        .await;
    let after = space.place("app").unwrap();
    assert_ne!(after.pid, before.pid);
    assert_eq!(after.address, before.address);
    assert_eq!(space.output("app", &["hostname"]), "app");
}

#[tokio::test]
async fn a_readiness_gate_is_waited_for() {
    let space = Space::new().await;
    let gate = json!({"spec": {"readinessGates": [{"conditionType": "test.podid.dev/open"}]}});
    space.pod("gated", gate).await;
    let shut =
        |pod: &Pod| condition(pod, "ContainersReady").as_deref() == Some("True") && !is_ready(pod);
    space
        .pod_once("gated", "to have ready containers", shut)
        .await;
    let open =
        json!({"status": {"conditions": [{"type": "test.podid.dev/open", "status": "True"}]}});
    let pods: Api<Pod> = space.api();
    pods.patch_status("gated", &PatchParams::default(), &Patch::Strategic(open))
        .await
        .unwrap();
    space.pod_once("gated", "to be ready", is_ready).await;
}
