//! The kubelet's part, for every node of the lab, and no more of it than this: nodes are
//! registered and kept alive by leases; **every pod the API server binds to a lab node** gets a
//! network namespace, an address, a `pause` process in cgroups named as the kubelet names them,
//! and the status a kubelet would write; deletion takes it all away. Images are not run; for those that
//! the lab has a program for, [`container`] starts it.
//!
//! Each pod has one task (`worker`): it looks at the newest version of the pod and at what the pod
//! has on the node, takes the one next step (`step::Step`), and sleeps until something
//! changes. A step that fails is reported as an Event on the pod and tried again with back-off; it
//! never holds up another pod.
//!
//! One annotation stands in for what running containers would have decided:
//! `lab.podid.dev/exit-code: "0"` ends a pod whose restart policy is not `Always`, so that Jobs
//! complete.

mod cleanup;
mod container;
mod error;
mod files;
mod heartbeat;
mod names;
mod node;
mod pod_sandbox;
mod report;
mod status;
mod step;
mod watch;
mod worker;

use std::sync::Arc;

use futures::future::try_join_all;

use crate::context::Context;
use crate::net::Fabric;

pub use error::KubeletError;

/// Plays the kubelet on every node of the lab.
///
/// Returns when `Context::shutdown` is cancelled; the pods' processes and links are left to the
/// end of the lab, which takes them all at once.
///
/// # Errors
/// [`KubeletError`] when a node cannot be registered. Later failures of the API server are
/// waited out.
pub async fn run(context: Context, fabric: Arc<Fabric>) -> Result<(), KubeletError> {
    let version = node::version(&context.client).await;
    let nodes = context.layout.nodes.iter().map(|layout| {
        let (context, fabric, version) = (context.clone(), Arc::clone(&fabric), version.clone());
        async move {
            let node = node::Node::register(context, &fabric, layout.clone(), &version).await?;
            let node = Arc::new(node);
            let shutdown = node.context.shutdown.clone();
            tokio::select! {
                never = heartbeat::run(&node) => match never {},
                () = watch::run(Arc::clone(&node)) => {
                    Err(KubeletError::WatchEnded(node.layout.name.clone()))
                }
                () = shutdown.cancelled() => Ok(()),
            }
        }
    });
    try_join_all(nodes).await?;
    Ok(())
}
