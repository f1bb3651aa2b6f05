//! The wires: `cloud0`, the nodes' namespaces, the pods' links.
//!
//! Init calls `net::build(&Layout, &cgroup, &Places) -> Result<Fabric, NetError>` (async) in the
//! control plane's network namespace, before etcd starts: `cloud0` with 10.200.0.1, one
//! `Holder` per node, registered as a `Place`. The `Fabric` keeps the nodes alive and gives
//! `imds_listener(node) -> std::net::TcpListener` bound to 169.254.169.254:80 inside the node.
