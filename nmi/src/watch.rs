//! The watches on the API server: only this node's pods and assignments, and the objects by which
//! identities are bound.

use std::convert::Infallible;

use futures::StreamExt;
use kube::Client;
use podid_core::assigned_identity::AssignedIdentity;
use podid_core::names::label_value;
use podid_core::resolve::Exception;
use podid_crds::aadpodidentity::{AzureAssignedIdentity, AzurePodIdentityException, NODE_LABEL};
use podid_crds::convert;
use podid_index::feed::{self, short_watch, updates};
use tokio::sync::mpsc;

use crate::pod_index::{ObjectUpdate, node_pod};

/// Follows all kinds and sends what changes, until the receiver is gone. A lost connection is
/// taken up again with growing pauses; meanwhile the last known state stands.
///
/// # Errors
/// None; the type is that of a task.
pub(crate) async fn follow(
    client: Client,
    node: String,
    sender: mpsc::Sender<ObjectUpdate>,
) -> Result<(), Infallible> {
    let on_node = short_watch().fields(&format!("spec.nodeName={node}"));
    let of_node = short_watch().labels(&format!("{NODE_LABEL}={}", label_value(&node)));
    let pods = updates(&client, on_node, node_pod);
    let identities = updates(&client, short_watch(), feed::identity);
    let bindings = updates(&client, short_watch(), feed::binding);
    let exceptions = updates(&client, short_watch(), exception);
    let assigned = updates(&client, of_node, assigned);
    let mut all = futures::stream::select_all([
        pods.map(ObjectUpdate::Pod).boxed(),
        identities.map(ObjectUpdate::Identity).boxed(),
        bindings.map(ObjectUpdate::Binding).boxed(),
        exceptions.map(ObjectUpdate::Exception).boxed(),
        assigned.map(ObjectUpdate::Assigned).boxed(),
    ]);
    while let Some(update) = all.next().await {
        if sender.send(update).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Reads an AzureAssignedIdentity; `None` for one that is for no pod.
fn assigned(object: &AzureAssignedIdentity) -> Option<AssignedIdentity> {
    convert::assigned_identity(object).assigned
}

fn exception(object: &AzurePodIdentityException) -> Option<Exception> {
    Some(convert::exception(object))
}
