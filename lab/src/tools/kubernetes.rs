//! What the groups of Kubernetes share: the programs of a control plane, and the versions that they are told.

/// The programs of a control plane, and the command of its own version.
pub(super) const CONTROL_PLANE: &[(&str, &str)] = &[
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    (
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
];

/// Kubernetes learns its version from the linker; without it `/version` says v0.0.0 and Helm refuses charts with a
/// `kubeVersion`. Must agree with the group's go.mod.
macro_rules! version {
    ($minor:literal, $patch:literal, $date:literal) => {
        concat!(
            "-X k8s.io/component-base/version.gitVersion=v1.",
            $minor,
            ".",
            $patch,
            " -X k8s.io/component-base/version.gitMajor=1",
            " -X k8s.io/component-base/version.gitMinor=",
            $minor,
            " -X k8s.io/component-base/version.gitTreeState=clean",
            " -X k8s.io/component-base/version.buildDate=",
            $date
        )
    };
}

/// The newest release that podid is tried with.
pub(super) const NEWEST: &str = version!("36", "4", "2026-08-20T11:51:43Z");
/// One between.
pub(super) const V1_33: &str = version!("33", "13", "2026-06-11T16:59:07Z");
/// The oldest.
pub(super) const V1_30: &str = version!("30", "14", "2025-06-18T19:07:32Z");
