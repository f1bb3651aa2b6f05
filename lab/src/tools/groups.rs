//! What is built, from which module.

use super::kubernetes::{CONTROL_PLANE, NEWEST, V1_30, V1_33};

/// Programs that are built together, and that a command can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ToolGroup {
    /// API server, controller manager, scheduler and kubectl.
    Kubernetes,
    /// The same of Kubernetes 1.33.
    #[value(name = "kubernetes-1-33")]
    Kubernetes1_33,
    /// The same of Kubernetes 1.30.
    #[value(name = "kubernetes-1-30")]
    Kubernetes1_30,
    /// Flux's kustomize-controller, and the kinds of Flux.
    KustomizeController,
    /// Flux's helm-controller, and the kinds of Flux.
    HelmController,
    /// The command `helm`.
    Helm,
    /// The etcd server.
    Etcd,
    /// The command `kustomize`.
    Kustomize,
    /// A registry of container images, for tests of pushing to one.
    Registry,
    /// A node's kubelet and kube-proxy, and `nft` for the latter.
    Kubelet,
    /// containerd, what it needs for runc, and its command `ctr`.
    Containerd,
    /// The plugins that link containers to a node's network.
    CniPlugins,
    /// runc, which needs a C compiler.
    Runc,
    /// The first process of every pod.
    Pause,
    /// A command that computes the status of objects as Flux does, for tests.
    Kstatus,
}

impl ToolGroup {
    /// Whether its programs are of no use without the kinds of Flux.
    pub(super) fn needs_flux_kinds(self) -> bool {
        matches!(self, Self::KustomizeController | Self::HelmController)
    }

    /// Whether a program that the user has may stand in for one of it. Its version is not known, and an older one was
    /// asked for by its number.
    pub(super) fn may_be_had(self) -> bool {
        !matches!(self, Self::Kubernetes1_33 | Self::Kubernetes1_30)
    }

    /// Whether its programs run `nft`.
    pub(super) fn needs_nft(self) -> bool {
        self == Self::Kubelet
    }
}

/// Programs that share a go.mod.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: ToolGroup,
    /// The folder of its go.mod below `lab/tools`.
    pub(super) name: &'static str,
    pub(super) go_mod: &'static str,
    pub(super) go_sum: &'static str,
    /// Program names with their packages.
    pub(super) programs: &'static [(&'static str, &'static str)],
    /// Linker flags beyond stripping.
    pub(super) ldflags: &'static str,
    /// Whether it is linked with libseccomp, by a C compiler.
    pub(super) seccomp: bool,
    /// Source files of its own, with their names, for a program that is in no module.
    pub(super) sources: &'static [(&'static str, &'static str)],
}

macro_rules! module {
    ($name:literal) => {
        (
            include_str!(concat!("../../tools/", $name, "/go.mod")),
            include_str!(concat!("../../tools/", $name, "/go.sum")),
        )
    };
}

const fn group(
    id: ToolGroup,
    name: &'static str,
    (go_mod, go_sum): (&'static str, &'static str),
    programs: &'static [(&'static str, &'static str)],
) -> Group {
    Group {
        id,
        name,
        go_mod,
        go_sum,
        programs,
        ldflags: "",
        seccomp: false,
        sources: &[],
    }
}

const fn control_plane(
    id: ToolGroup,
    name: &'static str,
    module: (&'static str, &'static str),
    version: &'static str,
) -> Group {
    Group {
        ldflags: version,
        ..group(id, name, module, CONTROL_PLANE)
    }
}

/// All groups, the longest builds first: what fails early fails cheaply.
pub(super) const GROUPS: [Group; 15] = [
    control_plane(
        ToolGroup::Kubernetes,
        "kubernetes",
        module!("kubernetes"),
        NEWEST,
    ),
    control_plane(
        ToolGroup::Kubernetes1_33,
        "kubernetes-1-33",
        module!("kubernetes-1-33"),
        V1_33,
    ),
    control_plane(
        ToolGroup::Kubernetes1_30,
        "kubernetes-1-30",
        module!("kubernetes-1-30"),
        V1_30,
    ),
    group(
        ToolGroup::KustomizeController,
        "kustomize-controller",
        module!("kustomize-controller"),
        &[(
            "kustomize-controller",
            "github.com/fluxcd/kustomize-controller",
        )],
    ),
    group(
        ToolGroup::HelmController,
        "helm-controller",
        module!("helm-controller"),
        &[("helm-controller", "github.com/fluxcd/helm-controller")],
    ),
    group(
        ToolGroup::Helm,
        "helm",
        module!("helm"),
        &[("helm", "helm.sh/helm/v4/cmd/helm")],
    ),
    group(
        ToolGroup::Etcd,
        "etcd",
        module!("etcd"),
        &[("etcd", "go.etcd.io/etcd/server/v3")],
    ),
    group(
        ToolGroup::Kustomize,
        "kustomize",
        module!("kustomize"),
        &[("kustomize", "sigs.k8s.io/kustomize/kustomize/v5")],
    ),
    group(
        ToolGroup::Registry,
        "registry",
        module!("registry"),
        &[(
            "registry",
            "github.com/distribution/distribution/v3/cmd/registry",
        )],
    ),
    Group {
        ldflags: NEWEST,
        ..group(
            ToolGroup::Kubelet,
            "kubelet",
            module!("kubelet"),
            &[
                ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
                ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
            ],
        )
    },
    group(
        ToolGroup::Containerd,
        "containerd",
        module!("containerd"),
        &[
            (
                "containerd",
                "github.com/containerd/containerd/v2/cmd/containerd",
            ),
            (
                "containerd-shim-runc-v2",
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
            ),
            ("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
        ],
    ),
    group(
        ToolGroup::CniPlugins,
        "cni-plugins",
        module!("cni-plugins"),
        &[
            (
                "bridge",
                "github.com/containernetworking/plugins/plugins/main/bridge",
            ),
            (
                "ptp",
                "github.com/containernetworking/plugins/plugins/main/ptp",
            ),
            (
                "loopback",
                "github.com/containernetworking/plugins/plugins/main/loopback",
            ),
            (
                "host-local",
                "github.com/containernetworking/plugins/plugins/ipam/host-local",
            ),
            (
                "portmap",
                "github.com/containernetworking/plugins/plugins/meta/portmap",
            ),
        ],
    ),
    Group {
        seccomp: true,
        ..group(
            ToolGroup::Runc,
            "runc",
            module!("runc"),
            &[("runc", "github.com/opencontainers/runc")],
        )
    },
    Group {
        sources: &[("main.go", include_str!("../../tools/pause/main.go"))],
        ..group(
            ToolGroup::Pause,
            "pause",
            module!("pause"),
            &[("pause", "podid.dev/lab/pause")],
        )
    },
    Group {
        sources: &[("main.go", include_str!("../../tools/kstatus/main.go"))],
        ..group(
            ToolGroup::Kstatus,
            "kstatus",
            module!("kstatus"),
            &[("kstatus", "podid.dev/lab/kstatus")],
        )
    },
];

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn a_group_is_asked_for_by_the_name_of_its_folder() {
        let groups = GROUPS.iter().map(|group| (group.name.to_owned(), group.id));
        let values = ToolGroup::value_variants().iter().map(|&id| {
            let value = id.to_possible_value().unwrap();
            (value.get_name().to_owned(), id)
        });
        assert_eq!(groups.collect::<Vec<_>>(), values.collect::<Vec<_>>());
    }

    #[test]
    fn every_package_is_a_tool_of_its_module() {
        for group in &GROUPS {
            for (program, package) in group.programs {
                assert!(group.go_mod.contains(package), "{program}: {package}");
            }
        }
    }

    #[test]
    fn the_linked_version_is_the_built_one() {
        let linked = GROUPS.iter().filter(|group| !group.ldflags.is_empty());
        let mut checked = 0;
        for group in linked {
            let built = group.go_mod.lines().find_map(|line| {
                line.trim()
                    .strip_prefix("k8s.io/kubernetes ")?
                    .split(' ')
                    .next()
            });
            let flag = format!("gitVersion={} ", built.unwrap());
            assert!(group.ldflags.contains(&flag), "{}: {flag}", group.name);
            checked += 1;
        }
        assert_eq!(checked, 4, "three control planes, and the kubelet");
    }

    #[test]
    fn a_control_plane_is_of_the_release_that_its_name_says() {
        for (group, minor) in [
            ("kubernetes", "36"),
            ("kubelet", "36"),
            ("kubernetes-1-33", "33"),
            ("kubernetes-1-30", "30"),
        ] {
            let found = GROUPS.iter().find(|known| known.name == group).unwrap();
            let pinned = format!("k8s.io/apiserver => k8s.io/apiserver v0.{minor}.");
            assert!(found.go_mod.contains(&pinned), "{group}: {pinned}");
            let major_and_minor = format!("version.gitMinor={minor} ");
            assert!(found.ldflags.contains(&major_and_minor), "{group}");
        }
    }
}
