//! Every change of a link of the node, as the kernel announces it.

use std::convert::Infallible;
use std::time::Duration;

use futures::StreamExt;
use nlink::netlink::{Connection, NetworkEvent, Route, RtnetlinkGroup};
use podid_core::attest::LinkChange;
use podid_netfilter::drain;
use tokio::sync::mpsc;

use super::link_query::LinkQueries;

/// Pause after a subscription breaks, before it is made again.
const BROKEN_PAUSE: Duration = Duration::from_millis(100);

/// A subscription to the changes of links.
pub(crate) struct LinkMonitor {
    kernel: Connection<Route>,
    links: LinkQueries,
}

impl LinkMonitor {
    /// Subscribes in the network namespace that this process runs in.
    ///
    /// # Errors
    /// When the kernel refuses the subscription.
    pub(crate) fn here() -> nlink::Result<Self> {
        let kernel = Connection::<Route>::new()?;
        kernel.subscribe(&[RtnetlinkGroup::Link])?;
        Ok(Self {
            kernel,
            links: LinkQueries::default(),
        })
    }

    /// Passes changes on until nobody receives them. An announcement may be old when it is read, so
    /// the kernel is asked what the link is by then.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub(crate) async fn run(self, changes: mpsc::Sender<LinkChange>) -> Result<(), Infallible> {
        loop {
            let mut events = self.kernel.events().await;
            while let Some(Ok(event)) = events.next().await {
                let (NetworkEvent::NewLink(link) | NetworkEvent::DelLink(link)) = event else {
                    continue;
                };
                let change = self.change(link.ifindex());
                if changes.send(change).await.is_err() {
                    return Ok(());
                }
            }
            drain(&mut events);
            drop(events);
            if changes.send(LinkChange::Lost).await.is_err() {
                return Ok(());
            }
            tokio::time::sleep(BROKEN_PAUSE).await;
        }
    }

    /// A link that cannot be asked about counts as gone, so that its pod is not served.
    fn change(&self, index: u32) -> LinkChange {
        let link = self.links.query(index).unwrap_or_else(|error| {
            tracing::warn!(%error, index, "a link cannot be read; its pod is not served");
            None
        });
        LinkChange::Changed(index, link)
    }
}
