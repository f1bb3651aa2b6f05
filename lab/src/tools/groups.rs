//! What is built, from which module.

/// Programs that are built together, and that a command can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ToolGroup {
    /// API server, controller manager, scheduler and kubectl.
    Kubernetes,
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

/// Kubernetes learns its version from the linker; without it `/version` says
/// v0.0.0 and Helm refuses charts with a `kubeVersion`. Must agree with
/// tools/kubernetes/go.mod.
const KUBERNETES_VERSION: &str = "\
    -X k8s.io/component-base/version.gitVersion=v1.36.4 \
    -X k8s.io/component-base/version.gitMajor=1 \
    -X k8s.io/component-base/version.gitMinor=36 \
    -X k8s.io/component-base/version.gitTreeState=clean \
    -X k8s.io/component-base/version.buildDate=2026-08-20T11:51:43Z";

/// All groups, the longest builds first: what fails early fails cheaply.
pub(super) const GROUPS: [Group; 13] = [
    Group {
        ldflags: KUBERNETES_VERSION,
        ..group(
            ToolGroup::Kubernetes,
            "kubernetes",
            module!("kubernetes"),
            &[
                ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
                (
                    "kube-controller-manager",
                    "k8s.io/kubernetes/cmd/kube-controller-manager",
                ),
                ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
                ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
            ],
        )
    },
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
        ldflags: KUBERNETES_VERSION,
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
        assert_eq!(checked, 2, "control plane and kubelet are of one version");
    }
}
