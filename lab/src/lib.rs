//! A whole cloud and cluster on one machine, thrown away when it ends.
//!
//! `podid-lab up` starts real etcd, kube-apiserver, kube-controller-manager,
//! kube-scheduler, kustomize-controller and helm-controller, the simulated
//! Azure of `azure-sim`, and nodes made of network namespaces. Containers are
//! not run: each pod has an address, a `pause` process and a cgroup, and
//! `podid-lab exec` runs the machine's own programs inside it.
//!
//! Three processes hold a lab. The **keeper** lives in the machine's own
//! namespaces and only waits and cleans up. The **init** is process 1 of the
//! lab's process namespace: the kernel ends everything in the lab with it. The
//! **daemon** is the lab itself: it supervises the programs, plays the kubelet
//! and Azure, and takes requests.
//!
//! | module | role |
//! |---|---|
//! | [`Lab`] | what tests and tools hold: start, ask, run commands, end |
//! | [`keeper`], [`init`], [`daemon`] | the three processes above |
//! | [`control`] | how the first talks to the last |
//! | [`exec`], [`enter`] | running a program in a pod, a node, the control plane |
//! | [`tools`] | builds the Go programs once, into a cache |
//! | [`net`], [`kubelet`] | nodes and pods as namespaces; the kubelet's part |
//! | [`install`] | podid itself, installed in a lab |
//! | [`source`] | stands in for Flux's source-controller |

pub mod cgroup;
pub mod context;
pub mod control;
pub mod daemon;
pub mod enter;
pub mod events;
pub mod exec;
mod handle;
pub mod hint;
pub mod holder;
pub mod init;
pub mod install;
pub mod keeper;
mod kubeconfig;
pub mod kubelet;
pub mod layout;
pub mod net;
mod options;
pub mod places;
pub mod source;
pub mod state;
pub mod tools;

pub use control::{Endpoints, Service, Status};
pub use handle::{Lab, LabError, Side};
pub use options::{Lifetime, Network, NodeKind, Target, UpOptions};
