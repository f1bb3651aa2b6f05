//! Where this machine has the controllers that containers need: in cgroup version 2,
//! or in hierarchies of version 1.

use std::fs;
use std::path::Path;

use super::directory::create;
use super::error::{CgroupError, failed};
use super::mounts::{Hierarchy, mounted, root};

/// What a kubelet and runc need of version 1.
const NEEDED_1: [&str; 4] = ["cpu", "cpuset", "memory", "pids"];
/// And of version 2: cpuset is used where it is there, and kernels for one CPU have none.
const NEEDED_2: [&str; 3] = ["cpu", "memory", "pids"];

/// The version that containers use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Controllers {
    /// Version 2 has them.
    V2,
    /// These hierarchies of version 1 have them.
    V1(Vec<Hierarchy>),
}

impl Controllers {
    /// Those of this machine. Version 1 only where version 2 lacks one.
    pub fn find() -> Result<Self, CgroupError> {
        let version_2 = root()?.join("cgroup.controllers");
        let version_2 = fs::read_to_string(&version_2).map_err(failed("read", &version_2))?;
        choose(&version_2, mounted()?)
    }

    /// Makes the cgroup `node` below that of a lab, with all controllers, and returns its
    /// directories in version 1. The one in version 2 is there.
    pub fn create(&self, lab: &Path, node: &str) -> Result<Vec<Hierarchy>, CgroupError> {
        match self {
            Self::V2 => {
                enable(&root()?)?;
                enable(lab)?;
                Ok(Vec::new())
            }
            Self::V1(hierarchies) => {
                let own = hierarchies.iter().map(|hierarchy| {
                    let lab = hierarchy.path.join(lab.file_name().unwrap_or_default());
                    let path = lab.join(node);
                    create(&path)?;
                    inherit_cpuset(&hierarchy.path, &[&lab, &path])?;
                    Ok(Hierarchy {
                        path,
                        options: hierarchy.options.clone(),
                    })
                });
                own.collect()
            }
        }
    }
}

/// `version_2` is the text of its `cgroup.controllers`.
fn choose(version_2: &str, version_1: Vec<Hierarchy>) -> Result<Controllers, CgroupError> {
    let lacking = |needed: &[&'static str], has: &dyn Fn(&str) -> bool| -> Vec<&str> {
        needed.iter().copied().filter(|name| !has(name)).collect()
    };
    let has = |name: &str| version_2.split_whitespace().any(|found| found == name);
    let lacking_2 = lacking(&NEEDED_2, &has);
    if lacking_2.is_empty() {
        return Ok(Controllers::V2);
    }
    let has = |name: &str| {
        let mut options = version_1.iter().flat_map(|found| found.options.split(','));
        options.any(|option| option == name)
    };
    let lacking_1 = lacking(&NEEDED_1, &has);
    if lacking_1.is_empty() {
        return Ok(Controllers::V1(version_1));
    }
    Err(CgroupError::Controllers {
        lacking_1: lacking_1.join(", "),
        lacking_2: lacking_2.join(", "),
    })
}

/// Lets the children of `cgroup`, of version 2, use every controller that it has.
fn enable(cgroup: &Path) -> Result<(), CgroupError> {
    let available = cgroup.join("cgroup.controllers");
    let available = fs::read_to_string(&available).map_err(failed("read", &available))?;
    let control = cgroup.join("cgroup.subtree_control");
    let enabled = fs::read_to_string(&control).map_err(failed("read", &control))?;
    let enabled: Vec<&str> = enabled.split_whitespace().collect();
    for name in available.split_whitespace() {
        if !enabled.contains(&name) {
            fs::write(&control, format!("+{name}"))
                .map_err(failed("enable controllers in", cgroup))?;
        }
    }
    Ok(())
}

/// A new cgroup of a hierarchy with the controller cpuset takes no process before it has CPUs
/// and memory nodes: those of the cgroup above it.
fn inherit_cpuset(top: &Path, below: &[&Path]) -> Result<(), CgroupError> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let source = top.join(file);
        if !source.exists() {
            return Ok(());
        }
        let all = fs::read_to_string(&source).map_err(failed("read", &source))?;
        for cgroup in below {
            fs::write(cgroup.join(file), &all).map_err(failed("set CPUs of", cgroup))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::mounts::hierarchies;
    use crate::cgroup::mounts::tests::MOUNTS;

    #[test]
    fn version_2_is_used_where_it_has_all() {
        let all = "cpuset cpu io memory hugetlb pids rdma\n";
        assert_eq!(choose(all, hierarchies(MOUNTS)).unwrap(), Controllers::V2);
        let few = choose("hugetlb\n", hierarchies(MOUNTS)).unwrap();
        assert_eq!(few, Controllers::V1(hierarchies(MOUNTS)));
        let of_one_cpu = choose("cpu io memory pids\n", hierarchies(MOUNTS)).unwrap();
        assert_eq!(of_one_cpu, Controllers::V2);
    }

    #[test]
    fn a_machine_with_neither_is_told_what_it_lacks() {
        let without = MOUNTS.replace("pids", "misc");
        let error = choose("cpu memory\n", hierarchies(&without)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("version 1 lacks pids"), "{text}");
        assert!(text.contains("version 2 lacks pids"), "{text}");
        assert!(text.contains("--node-agent stand-in"), "{text}");
        assert!(!text.contains('\n'));
    }
}
