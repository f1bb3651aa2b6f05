//! A whole cloud and cluster on one machine, thrown away when it ends.
//!
//! `podid-lab up` starts real etcd, kube-apiserver, kube-controller-manager,
//! kube-scheduler, the controllers of Flux that are asked for, the simulated
//! Azure of `azure-sim`, and nodes made of network namespaces. By default
//! images are not run: each pod has an address, a `pause` process and a cgroup,
//! `podid-lab exec` runs the machine's own programs inside it, and for images that the lab
//! has a program for ([`programs`]) that is started as the manifest says. With
//! [`NodeAgent::Kubelet`] a kubelet and containerd run on every node, and containers do.
//!
//! A lab has three processes of its own. The **monitor** stays in the machine's
//! own namespaces and only waits and cleans up. The **init** is process 1 of the
//! lab's process namespace: the kernel ends everything in the lab with it. The
//! **daemon** supervises the programs, acts as kubelet (unless there are real ones) and as Azure, and takes
//! requests.
//!
//! | module | role |
//! |---|---|
//! | [`Lab`] | a running lab: start, ask, run commands, end |
//! | [`monitor`], [`init`], [`daemon`] | the three processes above |
//! | [`control`] | requests to the daemon |
//! | [`exec`], [`enter`] | running a program in a pod, a node, the control plane |
//! | [`tools`] | builds the Go programs once, into a cache |
//! | [`net`], [`kubelet`] | nodes and pods as namespaces; the kubelet's part |
//! | [`install`] | podid itself, installed in a lab |
//! | [`source`] | stands in for Flux's source-controller |

pub mod cgroup;
pub mod container;
mod containerd;
pub mod context;
pub mod control;
pub mod daemon;
pub mod enter;
pub mod events;
pub mod exec;
mod executable;
mod hex;
pub mod hint;
pub mod image;
pub mod init;
pub mod install;
mod kubeconfig;
pub mod kubelet;
mod lab;
pub mod layout;
pub mod monitor;
pub mod net;
mod options;
pub mod programs;
pub mod sandbox;
pub mod source;
pub mod spec;
pub mod state;
pub mod targets;
pub mod tools;

pub use control::{Endpoints, Service, Status};
pub use executable::ExecutableError;
pub use lab::{Lab, LabError, Side};
pub use options::{Flux, Kubernetes, Lifetime, Network, NodeAgent, NodeKind, Target, UpOptions};
