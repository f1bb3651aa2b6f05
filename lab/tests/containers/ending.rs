//! A lab whose nodes run containers leaves nothing, however it ends.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use podid_lab::monitor::{MONITOR_FILE, MonitorInfo};
use podid_lab::{Lab, Lifetime, Network, UpOptions};

use super::kubectl::Kubectl;
use super::{STAYS, deployment, options};

/// Removes the lab of a test however that ends; one that is gone already is fine.
struct Cleanup(String);

impl Drop for Cleanup {
    fn drop(&mut self) {
        let _ = Lab::remove(&self.0);
    }
}

/// A lab that outlives its handle, with a running container on each node.
fn start(test: &str) -> (Lab, Cleanup) {
    let options = UpOptions {
        lifetime: Lifetime::UntilDown,
        network: Network::Routed,
        ..options(test)
    };
    let cleanup = Cleanup(options.name.clone());
    let lab = Lab::up(options).unwrap();
    let kubectl = Kubectl::of(&lab);
    kubectl.apply(&deployment("web", STAYS));
    kubectl.run(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    // Over point-to-point links, too, containers reach Services.
    let ask = [
        "curl",
        "-sk",
        "--max-time",
        "20",
        "https://10.96.0.1/version",
    ];
    let version = kubectl.run(&[&["exec", "deployment/web", "--"][..], &ask].concat());
    assert!(version.contains("v1.36.4"), "{version}");
    (lab, cleanup)
}

/// What the kernel has once for the whole machine and a kubelet would set, with mounts, links and
/// routes of the machine.
fn machine() -> Vec<String> {
    let files = [
        "/proc/self/mountinfo",
        "/proc/net/route",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sys/vm/panic_on_oom",
        "/proc/sys/kernel/panic",
        "/proc/sys/kernel/panic_on_oops",
        "/proc/sys/kernel/keys/root_maxkeys",
        "/proc/sys/kernel/keys/root_maxbytes",
        "/proc/sys/net/ipv4/ip_forward",
    ];
    files.map(|file| fs::read_to_string(file).unwrap()).into()
}

/// All of a running lab that the machine could keep.
struct Traces {
    info: MonitorInfo,
    dir: PathBuf,
    namespaces: BTreeSet<(&'static str, u64)>,
}

impl Traces {
    fn of(lab: &Lab) -> Self {
        let info: MonitorInfo = lab.dir().read_json(MONITOR_FILE).unwrap();
        let own = namespaces(Path::new("/proc/self"));
        let inside = processes().filter(|process| is_in(process, &info.cgroup));
        let all = inside.flat_map(|process| namespaces(&process));
        let traces = Self {
            namespaces: all.filter(|namespace| !own.contains(namespace)).collect(),
            dir: lab.dir().path().to_owned(),
            info,
        };
        let names = traces.processes();
        for program in ["kubelet", "containerd", "kube-proxy", "pause", "sh"] {
            let running = names.iter().filter(|name| *name == program).count();
            assert!(running >= 2, "{program} on both nodes: {names:?}");
        }
        assert!(traces.cgroups().len() > 1, "containers have controllers");
        traces
    }

    /// Names of the lab's processes: those in a cgroup or in a namespace of it.
    fn processes(&self) -> Vec<String> {
        let inside = processes().filter(|process| {
            is_in(process, &self.info.cgroup) || !namespaces(process).is_disjoint(&self.namespaces)
        });
        inside
            .map(|process| fs::read_to_string(process.join("comm")).unwrap_or_default())
            .map(|name| name.trim().to_owned())
            .collect()
    }

    /// The lab's cgroups, one per hierarchy; of one with all controllers, those of nodes.
    fn cgroups(&self) -> Vec<PathBuf> {
        let name = self.info.cgroup.file_name().unwrap();
        let mut tops = vec![PathBuf::from("/sys/fs/cgroup")];
        let folders = fs::read_dir(&tops[0]).unwrap().flatten();
        tops.extend(folders.map(|entry| entry.path()));
        let labs = tops.into_iter().map(|top| top.join(name));
        let labs: Vec<PathBuf> = labs.filter(|path| path.exists()).collect();
        let nodes = labs.iter().map(|lab| lab.join("node-0/kubepods"));
        nodes
            .filter(|path| path.exists())
            .chain(labs.clone())
            .collect()
    }

    fn assert_processes_gone(&self) {
        eventually("the lab's processes to end", || self.processes().is_empty());
    }

    fn assert_gone(&self) {
        self.assert_processes_gone();
        eventually("the cgroups to be removed", || self.cgroups().is_empty());
        eventually("the state directory to be removed", || !self.dir.exists());
    }
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let entries = entries.filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy()
            .bytes()
            .all(|byte| byte.is_ascii_digit())
    });
    entries.map(|entry| entry.path())
}

/// Whether a process is in the lab's cgroup of any hierarchy.
fn is_in(process: &Path, cgroup: &Path) -> bool {
    let name = cgroup.file_name().unwrap().to_str().unwrap();
    fs::read_to_string(process.join("cgroup")).is_ok_and(|text| text.contains(name))
}

/// Of a process that ends meanwhile, none.
fn namespaces(process: &Path) -> BTreeSet<(&'static str, u64)> {
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
    let found = kinds.into_iter().filter_map(|kind| {
        let file = fs::metadata(process.join("ns").join(kind)).ok()?;
        Some((kind, file.ino()))
    });
    found.collect()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited 20 s for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill_hard(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

#[test]
fn down_leaves_nothing_and_the_machine_is_never_touched() {
    let before = machine();
    let (lab, _cleanup) = start("c-down");
    assert_eq!(machine(), before, "while the lab is up");
    let traces = Traces::of(&lab);
    lab.down().unwrap();
    traces.assert_gone();
    assert_eq!(machine(), before, "after the lab");
}

#[test]
fn a_killed_init_takes_containers_along() {
    let (lab, _cleanup) = start("c-init");
    let traces = Traces::of(&lab);
    kill_hard(traces.info.init);
    traces.assert_gone();
}

#[test]
fn a_killed_monitor_leaves_only_cgroups_that_down_removes() {
    let (lab, _cleanup) = start("c-monitor");
    let traces = Traces::of(&lab);
    kill_hard(traces.info.monitor);
    traces.assert_processes_gone();
    assert!(Lab::remove(lab.name()).unwrap(), "something was left");
    traces.assert_gone();
}
