//! Finds the pod of a process by the name that the kubelet gave its cgroup.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

/// Length of a pod uid, `8-4-4-4-12` hexadecimal digits.
const UID_LENGTH: usize = 36;

/// The uid in the text of `/proc/PID/cgroup`, for both of the kubelet's cgroup drivers and both
/// versions of cgroups:
///
/// - `…/kubepods/burstable/pod0a1b2c3d-…/…` (cgroupfs)
/// - `…/kubepods-burstable-pod0a1b2c3d_….slice/…` (systemd, which writes `_` for `-`)
///
/// The outermost name counts: a pod may be able to make cgroups below its own, never above.
fn pod_uid(cgroup: &str) -> Option<String> {
    cgroup
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .find_map(|path| path.split('/').find_map(uid_in_segment))
}

fn uid_in_segment(segment: &str) -> Option<String> {
    let name = segment.strip_suffix(".slice").unwrap_or(segment);
    let start = name.len().checked_sub(UID_LENGTH)?;
    let (prefix, uid) = (name.get(..start)?, name.get(start..)?);
    let named = prefix == "pod" || prefix.ends_with("-pod");
    let uid = uid.replace('_', "-");
    (named && is_uid(&uid)).then_some(uid)
}

fn is_uid(text: &str) -> bool {
    text.char_indices().all(|(at, c)| match at {
        8 | 13 | 18 | 23 => c == '-',
        _ => c.is_ascii_hexdigit(),
    })
}

/// Ids of the processes of the pods with these uids. A process that ends meanwhile is left out.
///
/// # Errors
/// When `/proc` cannot be read.
pub(super) fn processes(uids: &BTreeSet<&str>) -> io::Result<BTreeMap<String, Vec<u32>>> {
    let mut found: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let cgroup = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        if let Some(uid) = pod_uid(&cgroup).filter(|uid| uids.contains(uid.as_str())) {
            found.entry(uid).or_default().push(pid);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "7c7bb2a4-45f5-4e4e-9a4c-6e9b1a9f7d10";
    const OTHER: &str = "00000000-45f5-4e4e-9a4c-6e9b1a9f7d10";

    #[test]
    fn both_drivers_and_both_versions() {
        let systemd = UID.replace('-', "_");
        for cgroup in [
            format!("0::/kubepods/burstable/pod{UID}/3f2a"),
            format!("0::/kubepods/pod{UID}"),
            format!(
                "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{systemd}.slice/cri-containerd-3f.scope"
            ),
            format!("0::/kubepods.slice/kubepods-pod{systemd}.slice"),
            format!("12:memory:/kubepods/pod{UID}/3f\n11:cpu,cpuacct:/kubepods/pod{UID}/3f\n"),
            format!("0::/../../kubepods/pod{UID}"),
        ] {
            assert_eq!(pod_uid(&cgroup).as_deref(), Some(UID), "{cgroup}");
        }
    }

    #[test]
    fn a_cgroup_made_inside_a_pod_does_not_make_it_another() {
        let cgroup = format!("0::/kubepods/pod{UID}/pod{OTHER}");
        assert_eq!(pod_uid(&cgroup).as_deref(), Some(UID));
    }

    #[test]
    fn other_processes_belong_to_no_pod() {
        for cgroup in [
            "",
            "0::/",
            "0::/system.slice/kubelet.service",
            "0::/kubepods/podman",
            &format!("0::/kubepods/{UID}"),
            &format!("0::/kubepods/xpod{UID}"),
            &format!("0::/kubepods/pod{}", UID.replace('a', "x")),
            "nonsense without colons",
        ] {
            assert_eq!(pod_uid(cgroup), None, "{cgroup}");
        }
    }
}
