//! Where this machine has mounted the cgroup file systems.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{CgroupError, failed};

/// A mounted hierarchy of version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// Where it is mounted, or a cgroup in it.
    pub path: PathBuf,
    /// What mounts it once more, such as `cpu,cpuacct` or `none,name=systemd`.
    pub options: String,
}

/// Mount point of the cgroup (version 2) file system.
pub fn root() -> Result<PathBuf, CgroupError> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")
        .map_err(failed("find", Path::new("/proc/self/mountinfo")))?;
    cgroup2_mount(&mounts).ok_or(CgroupError::NotMounted)
}

/// Mount point of the cgroup2 file system in the text of `mountinfo`
/// (proc_pid_mountinfo(5): field 5 is the mount point, the type follows " - ").
fn cgroup2_mount(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then_some(())?;
        mount.split(' ').nth(4).map(PathBuf::from)
    })
}

/// The directories of a lab in version 1, whose directory in version 2 is `lab`.
pub(super) fn in_version_1(lab: &Path) -> Result<Vec<PathBuf>, CgroupError> {
    let name = lab.file_name().unwrap_or_default();
    let paths = mounted()?
        .into_iter()
        .map(|mounted| mounted.path.join(name));
    Ok(paths.collect())
}

/// Those of version 1.
pub(super) fn mounted() -> Result<Vec<Hierarchy>, CgroupError> {
    let mountinfo = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(mountinfo).map_err(failed("find", mountinfo))?;
    Ok(hierarchies(&text))
}

/// The hierarchies in the text of `mountinfo` (proc_pid_mountinfo(5): field 5 is the mount
/// point; type, source and options of the file system follow " - ").
pub(super) fn hierarchies(mountinfo: &str) -> Vec<Hierarchy> {
    let lines = mountinfo.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = file_system.split(' ');
        (fields.next()? == "cgroup").then_some(())?;
        let options = fields.nth(1)?.split(',');
        let is_named = |option: &&str| option.starts_with("name=");
        let is_controller =
            |option: &&str| !NOT_CONTROLLERS.contains(option) && !option.contains('=');
        let options: Vec<&str> = match options.clone().find(is_named) {
            Some(name) => vec!["none", name],
            None => options.filter(is_controller).collect(),
        };
        Some(Hierarchy {
            path: mount.split(' ').nth(4)?.into(),
            options: options.join(","),
        })
    });
    lines.collect()
}

/// Options of a hierarchy that name no controller.
const NOT_CONTROLLERS: [&str; 6] = [
    "rw",
    "ro",
    "xattr",
    "noprefix",
    "clone_children",
    "nsdelegate",
];

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cgroup) const MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/cpu rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct
37 31 0:34 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,release_agent=/a,name=systemd
38 31 0:35 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset,clone_children
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
";

    #[test]
    fn a_hierarchy_is_mounted_again_by_what_it_has() {
        let found = hierarchies(MOUNTS);
        let options: Vec<&str> = found.iter().map(|found| found.options.as_str()).collect();
        assert_eq!(
            options,
            [
                "memory",
                "cpu,cpuacct",
                "none,name=systemd",
                "cpuset",
                "pids"
            ]
        );
        assert_eq!(found[1].path, Path::new("/sys/fs/cgroup/cpu"));
    }

    #[test]
    fn the_cgroup2_mount_is_found_beside_version_1() {
        let mountinfo = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
";
        assert_eq!(
            cgroup2_mount(mountinfo),
            Some(PathBuf::from("/sys/fs/cgroup/unified"))
        );
        assert_eq!(
            cgroup2_mount("35 31 0:32 / /c rw - cgroup cgroup rw,memory\n"),
            None
        );
    }
}
