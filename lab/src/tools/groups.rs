//! What is built, from which module.

/// Programs that share a go.mod.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) go_mod: &'static str,
    pub(super) go_sum: &'static str,
    /// Program names with their packages.
    pub(super) programs: &'static [(&'static str, &'static str)],
    /// Linker flags beyond stripping.
    pub(super) ldflags: &'static str,
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
    name: &'static str,
    (go_mod, go_sum): (&'static str, &'static str),
    programs: &'static [(&'static str, &'static str)],
) -> Group {
    Group {
        name,
        go_mod,
        go_sum,
        programs,
        ldflags: "",
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
pub(super) const GROUPS: [Group; 6] = [
    Group {
        ldflags: KUBERNETES_VERSION,
        ..group(
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
        "kustomize-controller",
        module!("kustomize-controller"),
        &[(
            "kustomize-controller",
            "github.com/fluxcd/kustomize-controller",
        )],
    ),
    group(
        "helm-controller",
        module!("helm-controller"),
        &[("helm-controller", "github.com/fluxcd/helm-controller")],
    ),
    group(
        "helm",
        module!("helm"),
        &[("helm", "helm.sh/helm/v4/cmd/helm")],
    ),
    group(
        "etcd",
        module!("etcd"),
        &[("etcd", "go.etcd.io/etcd/server/v3")],
    ),
    group(
        "kustomize",
        module!("kustomize"),
        &[("kustomize", "sigs.k8s.io/kustomize/kustomize/v5")],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

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
        let built = GROUPS[0].go_mod.lines().find_map(|line| {
            line.trim()
                .strip_prefix("k8s.io/kubernetes ")?
                .split(' ')
                .next()
        });
        let flag = format!("gitVersion={} ", built.unwrap());
        assert!(KUBERNETES_VERSION.contains(&flag), "{flag}");
    }
}
