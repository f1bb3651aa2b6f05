//! Pods whose images the lab has programs for.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, DeleteParams, PostParams};
use podid_lab::programs;
use serde_json::{Value, json};

use super::space::{Space, is_ready, lab, phase};

/// A container of an image for which the lab has this machine's shell.
fn container(script: &str) -> Value {
    programs::offer(lab().dir(), "shell", "/bin/sh".as_ref()).unwrap();
    json!({"name": "main", "image": "example.test/shell:1", "command": ["/shell", "-c", script]})
}

/// What the containers of a pod wrote.
fn log(space: &Space, pod: &str) -> String {
    let name = format!("{}.{pod}", space.namespace);
    std::fs::read_to_string(lab().log(&name)).unwrap()
}

#[tokio::test]
async fn a_container_is_what_its_manifest_says() {
    let space = Space::new().await;
    let settings = json!({"metadata": {"name": "settings"}, "data": {"LEVEL": "info"}});
    let maps: Api<ConfigMap> = space.api();
    let settings = serde_json::from_value(settings).unwrap();
    maps.create(&PostParams::default(), &settings)
        .await
        .unwrap();
    let mut main = container(
        "echo level=$LEVEL name=$NAME; id; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; \
         cut -d. -f1 /var/run/secrets/kubernetes.io/serviceaccount/token | wc -w; cat /settings/LEVEL; \
         touch /file || echo read-only; echo kept > /disk/file; cat /etc/hosts; ls -d /root; ls -d /home; exit 7",
    );
    main["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    main["env"] =
        json!([{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    main["securityContext"] = json!({
        "runAsUser": 0, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
    });
    main["volumeMounts"] = json!([
        {"name": "settings", "mountPath": "/settings", "readOnly": true},
        {"name": "disk", "mountPath": "/disk"},
    ]);
    let spec = json!({
        "restartPolicy": "Never",
        "containers": [main],
        "volumes": [
            {"name": "settings", "configMap": {"name": "settings"}},
            {"name": "disk", "hostPath": {"path": "/var/lib/podid-lab-test", "type": "DirectoryOrCreate"}},
        ],
    });
    space.pod("app", json!({"spec": spec})).await;
    let ended = |pod: &Pod| phase(pod) == "Failed";
    let pod = space.pod_once("app", "to have ended", ended).await;
    let statuses = pod.status.unwrap().container_statuses.unwrap();
    let state = statuses[0].state.clone().unwrap().terminated.unwrap();
    assert_eq!(state.exit_code, 7);
    let said = log(&space, "app");
    for line in [
        "level=info name=app",
        "uid=0(root) gid=0(root) groups=0(root)",
        // NET_ADMIN alone.
        "CapBnd:\t0000000000001000",
        "NoNewPrivs:\t1",
        "1",
        "info",
        "read-only",
    ] {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
    assert!(said.contains("\tapp\n"), "{said}");
    // The disk of a node is the lab's, and the machine's folders are not seen.
    assert!(!std::path::Path::new("/var/lib/podid-lab-test").exists());
    for folder in ["/root", "/home"] {
        let hidden = format!("'{folder}': No such file or directory");
        assert!(said.contains(&hidden), "{folder} is seen: {said}");
    }
}

#[tokio::test]
async fn a_container_is_ready_when_its_probe_says_so_and_started_again_when_it_ends() {
    let space = Space::new().await;
    let mut main = container("echo started; : > /tmp/up; while :; do sleep 1; done");
    main["readinessProbe"] = json!({
        "exec": {"command": ["/shell", "-c", "test -e /tmp/ready"]}, "periodSeconds": 1,
    });
    main["volumeMounts"] = json!([{"name": "tmp", "mountPath": "/tmp"}]);
    let volumes = json!([{"name": "tmp", "emptyDir": {}}]);
    space
        .pod(
            "app",
            json!({"spec": {"containers": [main], "volumes": volumes}}),
        )
        .await;
    let runs = |pod: &Pod| phase(pod) == "Running";
    let pod = space.pod_once("app", "to run", runs).await;
    assert!(!is_ready(&pod));
    let uid = pod.metadata.uid.unwrap();
    let node = pod.spec.unwrap().node_name.unwrap();
    let tmp = lab().dir().file(format!("pods/{node}/{uid}/volumes/tmp"));
    std::fs::write(tmp.join("ready"), "").unwrap();
    space.pod_once("app", "to be ready", is_ready).await;

    let shell = space.place("app").unwrap().cgroup.join("cgroup.procs");
    let pids = std::fs::read_to_string(shell).unwrap();
    let first: i32 = pids.lines().next().unwrap().parse().unwrap();
    let first = nix::unistd::Pid::from_raw(first);
    nix::sys::signal::kill(first, nix::sys::signal::Signal::SIGKILL).unwrap();
    let again = |pod: &Pod| {
        let statuses = pod
            .status
            .as_ref()
            .and_then(|status| status.container_statuses.as_ref());
        let status = statuses.and_then(|all| all.first());
        is_ready(pod)
            && status.is_some_and(|one| {
                let last = one
                    .last_state
                    .as_ref()
                    .and_then(|last| last.terminated.as_ref());
                one.restart_count == 1 && last.is_some_and(|last| last.exit_code == 137)
            })
    };
    space.pod_once("app", "to be started again", again).await;
    let pods: Api<Pod> = space.api();
    pods.delete("app", &DeleteParams::default()).await.unwrap();
    space.pod_gone("app").await;
    assert!(!tmp.exists());
}

#[tokio::test]
async fn what_a_stand_in_cannot_do_is_said_on_the_pod() {
    let space = Space::new().await;
    let volumes = json!([{"name": "vault", "secret": {"secretName": "vault"}}]);
    let spec = json!({"containers": [container("exit 0")], "volumes": volumes});
    space.pod("app", json!({"spec": spec})).await;
    let said = space.event("app", "Failed").await;
    assert!(
        said.contains("knows no kind of volume of \"vault\""),
        "{said}"
    );
}
