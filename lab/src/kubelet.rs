//! The kubelet's part, for every node of the lab.
//!
//! Init calls `kubelet::run(Context, Arc<Fabric>) -> Result<(), KubeletError>` (async) once the
//! API server answers; it registers the nodes, keeps their leases, watches their pods and
//! returns only on an error or when `Context::shutdown` is cancelled.
