//! What the NET_RAW rule leaves a container by the word of a real kernel, and the attack that it is against.

use std::path::Path;
use std::sync::OnceLock;

use podid_lab::image::BOX;
use podid_lab::{Lab, install};
use podid_tests::kubectl::Kubectl;
use podid_tests::python;
use podid_tests::sdk_image::{self, SDK};
use podid_tests::workloads::pollers::Pollers;
use podid_tests::workloads::team::{TEAM, client_id, in_team};
use podid_tests::workloads::wait_until;
use serde_json::{Value, json};

use crate::cluster::cluster_alone;

/// Sends packets in another's name.
const SPOOF: &str = include_str!("spoof.py");
const NODE: &str = "node-0";
/// What containerd gives a container whose spec says nothing: 14 capabilities, NET_RAW (13) among them.
const DEFAULT: u64 = 0xa804_25fb;
const NET_RAW: u64 = 1 << 13;
const NET_BIND_SERVICE: u64 = 1 << 10;

/// A pod that ends by itself, on one node.
fn pod(name: &str, labels: &Value, spec: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": TEAM, "labels": labels},
        "spec": {"restartPolicy": "Never", "nodeSelector": {"kubernetes.io/hostname": NODE}},
    });
    for (key, value) in spec.as_object().unwrap() {
        pod["spec"][key] = value.clone();
    }
    pod
}

fn bound() -> Value {
    json!({"aadpodidbinding": "checkout"})
}

/// Runs a pod to its end.
fn run(kubectl: &Kubectl<'_>, pod: &Value) {
    kubectl.apply(pod);
    let name = pod["metadata"]["name"].as_str().unwrap();
    wait_until(&format!("pod {name} ends"), || {
        let now = kubectl.json(&in_team(&["get", "pod", name]));
        ["Succeeded", "Failed"].contains(&now["status"]["phase"].as_str().unwrap_or_default())
    });
}

fn said(kubectl: &Kubectl<'_>, pod: &str, container: &str) -> String {
    kubectl.run(&in_team(&["logs", pod, "--container", container]))
}

fn removed(kubectl: &Kubectl<'_>, pod: &str) {
    kubectl.run(&in_team(&[
        "delete",
        "pod",
        pod,
        "--wait=true",
        "--grace-period=0",
        "--force",
    ]));
}

/// A container that prints its capabilities as the kernel has them.
fn shows(name: &str, capabilities: &Value) -> Value {
    json!({
        "name": name, "image": BOX,
        "command": ["grep", "Cap", "/proc/self/status"],
        "securityContext": {"capabilities": capabilities},
    })
}

/// Effective and bounding set, as a container printed them.
fn sets(kubectl: &Kubectl<'_>, pod: &str, container: &str) -> (u64, u64) {
    let text = said(kubectl, pod, container);
    let of = |kind: &str| {
        let mut lines = text.lines();
        let set = lines.find_map(|line| line.strip_prefix(kind)).expect(kind);
        u64::from_str_radix(set.trim(), 16).unwrap()
    };
    (of("CapEff:"), of("CapBnd:"))
}

#[test]
fn a_bound_container_has_in_the_kernel_what_its_spec_leaves_it() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    let one = json!({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]});
    let spec = json!({
        "initContainers": [shows("init", &json!({"drop": ["NET_RAW"]}))],
        "containers": [
            shows("raw", &json!({"drop": ["NET_RAW"]})),
            shows("all", &json!({"drop": ["ALL"]})),
            shows("one", &one),
        ],
    });
    run(&kubectl, &pod("kept", &bound(), &spec));
    for (container, left) in [
        ("init", DEFAULT & !NET_RAW),
        ("raw", DEFAULT & !NET_RAW),
        ("all", 0),
        ("one", NET_BIND_SERVICE),
    ] {
        let found = sets(&kubectl, "kept", container);
        assert_eq!(found, (left, left), "{container}: {found:x?}");
    }
    removed(&kubectl, "kept");

    // Else this could not fail.
    let spec = json!({"containers": [shows("plain", &json!({}))]});
    run(&kubectl, &pod("plain", &json!({}), &spec));
    assert_eq!(sets(&kubectl, "plain", "plain"), (DEFAULT, DEFAULT));
    removed(&kubectl, "plain");
}

#[test]
fn a_debugging_container_of_a_bound_pod_has_no_net_raw_either() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    let mut waits = shows("app", &json!({"drop": ["ALL"]}));
    waits["command"] = json!(["sleep", "600"]);
    let spec = json!({"containers": [waits], "terminationGracePeriodSeconds": 0});
    kubectl.apply(&pod("debugged", &bound(), &spec));
    kubectl.run(&in_team(&[
        "wait",
        "pod/debugged",
        "--for=condition=Ready",
        "--timeout=90s",
    ]));
    let folder = tempfile::tempdir().unwrap();
    let debug = |container: &str, drop: &Value| {
        let custom = folder.path().join(container);
        let spec = json!({"securityContext": {"capabilities": {"drop": drop}}});
        std::fs::write(&custom, spec.to_string()).unwrap();
        let custom = format!("--custom={}", custom.display());
        let image = format!("--image={BOX}");
        let named = format!("--container={container}");
        let flags = [
            "debug",
            "debugged",
            &image,
            &named,
            "--profile=general",
            &custom,
        ];
        let command = ["--", "grep", "Cap", "/proc/self/status"];
        kubectl.output(&in_team(&[&flags[..], &command].concat()))
    };
    let refused = debug("keeps", &json!([]));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && words.contains("container keeps does not drop NET_RAW"),
        "{refused:?}"
    );
    let admitted = debug("drops", &json!(["NET_RAW"]));
    assert!(admitted.status.success(), "{admitted:?}");
    wait_until("the debugging container has ended", || {
        let now = kubectl.json(&in_team(&["get", "pod", "debugged"]));
        now["status"]["ephemeralContainerStatuses"][0]["state"]["terminated"].is_object()
    });
    let (effective, bounding) = sets(&kubectl, "debugged", "drops");
    assert_eq!((effective & NET_RAW, bounding & NET_RAW), (0, 0));
    assert_ne!(effective, 0, "it has others");
    removed(&kubectl, "debugged");
}

/// Gives the nodes an image with Python.
fn with_python(lab: &Lab) {
    static GIVEN: OnceLock<()> = OnceLock::new();
    GIVEN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("python.tar");
        sdk_image::pack(&python::required(), Path::new(&archive)).unwrap();
        install::import(lab, &[archive]).unwrap();
    });
}

/// What a pod says that tries the attack; `victim` is the address in whose name, its own if there is none.
fn attack(kubectl: &Kubectl<'_>, labels: &Value, drop: &Value, victim: &str) -> String {
    let container = json!({
        "name": "app", "image": SDK,
        "command": ["python", "-c", SPOOF],
        "env": [{"name": "IN_THE_NAME_OF", "value": victim}],
        "securityContext": {"capabilities": {"drop": drop}},
    });
    run(
        kubectl,
        &pod("attacker", labels, &json!({"containers": [container]})),
    );
    let said = said(kubectl, "attacker", "app");
    removed(kubectl, "attacker");
    said.trim().to_owned()
}

/// A profile `loose` of the team with `netRaw: Ignore`, which the class allows as long as this is there.
struct Loose<'a>(&'a Kubectl<'a>);

impl<'a> Loose<'a> {
    fn is_ready(kubectl: &'a Kubectl<'a>) -> Self {
        let loose = Self(kubectl);
        loose.class_allows(true);
        let profile = json!({
            "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
            "metadata": {"name": "loose", "namespace": TEAM},
            "spec": {"className": "standard", "netRaw": "Ignore", "deletionGracePeriod": "0s"},
        });
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), profile.to_string()).unwrap();
        let apply = ["apply", "--filename", &file.path().display().to_string()];
        // The policy learns of the class after the API server has answered.
        wait_until("profile loose is admitted", || {
            kubectl.output(&apply).status.success()
        });
        let ready = ["--for=condition=Ready", "--timeout=120s"];
        let wait = [&["wait", "podidentityprofile/loose"][..], &ready].concat();
        kubectl.run(&in_team(&wait));
        loose
    }

    fn class_allows(&self, allows: bool) {
        let patch = json!({"spec": {"limits": {"allowNetRaw": allows}}}).to_string();
        let to = ["--type=merge", "--patch", &patch];
        self.0
            .run(&[&["patch", "podidentityclass/standard"][..], &to].concat());
    }

    fn removed(self) {
        self.0
            .run(&in_team(&["delete", "podidentityprofile/loose"]));
        self.class_allows(false);
    }
}

#[test]
fn who_dropped_net_raw_has_no_socket_to_spoof_with_and_who_kept_it_is_not_answered() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    with_python(&lab);
    let own = client_id(&kubectl);
    let loose = Loose::is_ready(&kubectl);
    let polling = Pollers::start(&lab, "spoofed-pollers");
    let on_node = format!("--field-selector=spec.nodeName={NODE}");
    let selector = "--selector=app=spoofed-pollers";
    let pods = kubectl.json(&in_team(&["get", "pods", selector, &on_node]));
    let victim = pods["items"][0]["status"]["podIP"]
        .as_str()
        .unwrap()
        .to_owned();

    let no_socket = "no socket: Operation not permitted";
    let (drops, keeps) = (json!(["NET_RAW"]), json!([]));
    assert_eq!(attack(&kubectl, &bound(), &drops, &victim), no_socket);
    // Whom no rule asks: a pod that nobody binds, and one whose profile does not.
    for labels in [
        json!({"app": "stranger"}),
        json!({"aadpodidbinding": "loose"}),
    ] {
        let in_its_own_name = attack(&kubectl, &labels, &keeps, "");
        assert_eq!(in_its_own_name, "taken", "{labels}: the attack works");
        let as_victim = attack(&kubectl, &labels, &keeps, &victim);
        assert_eq!(as_victim, "sent, and not taken", "{labels}");
    }

    polling.more_of_each(5);
    for line in polling.end("spoofed") {
        assert_eq!((line.exit, line.status), (0, 200), "{line:?}");
        assert_eq!(line.client_id, own, "{line:?}");
    }
    loose.removed();
}
