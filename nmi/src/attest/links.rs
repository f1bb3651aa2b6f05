//! Whether what a proof rests on still holds: the kernel is heard of every change of a link of the
//! node, and asked before a token leaves.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use nlink::netlink::{Connection, NetworkEvent, Route, RtnetlinkGroup};
use tokio::sync::mpsc;

use super::node::{self, NodeLink};

/// How long a broken subscription rests before it is tried again.
const BROKEN_PAUSE: Duration = Duration::from_millis(100);
/// How long one question to the kernel may take.
const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// The node's end of a proved pod's link, as it was when the pod was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProvedLink {
    /// Its index.
    pub(crate) index: u32,
    /// What it was.
    pub(crate) was: NodeLink,
}

/// News of the node's links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkNews {
    /// Something about the link with this index has changed; this is what it is now.
    Changed(u32, Option<NodeLink>),
    /// News may have been lost.
    Lost,
}

/// Asks whether a link is what it was. Fails closed.
#[async_trait]
pub(crate) trait Links: fmt::Debug + Send + Sync {
    /// Whether it is, as far as the kernel can be asked.
    async fn hold(&self, link: &ProvedLink) -> bool;
}

/// The links of the namespace this process runs in.
#[derive(Debug)]
pub(crate) struct KernelLinks;

#[async_trait]
impl Links for KernelLinks {
    async fn hold(&self, link: &ProvedLink) -> bool {
        let now = ask(link.index).await;
        now.is_some_and(|now| now.leads_as(&link.was))
    }
}

/// `None` also when the kernel does not answer.
async fn ask(index: u32) -> Option<NodeLink> {
    match tokio::time::timeout(ANSWER_WAIT, node::link(index)).await {
        Ok(Ok(link)) => link,
        Ok(Err(error)) => {
            tracing::warn!(%error, index, "the kernel does not tell of a link; its pod is not served");
            None
        }
        Err(_late) => {
            tracing::warn!(
                index,
                "the kernel does not answer; the pod of this link is not served"
            );
            None
        }
    }
}

/// Hears of every change of a link of the node.
pub(crate) struct LinkMonitor {
    kernel: Connection<Route>,
}

impl LinkMonitor {
    /// Listens in the namespace this process runs in.
    ///
    /// # Errors
    /// When the kernel's announcements cannot be subscribed to.
    pub(crate) fn here() -> nlink::Result<Self> {
        let kernel = Connection::<Route>::new()?;
        kernel.subscribe(&[RtnetlinkGroup::Link])?;
        Ok(Self { kernel })
    }

    /// Passes on the news until nobody takes them any more. What a piece of news says is old when it is
    /// read, so the kernel is asked what the link is by then.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub(crate) async fn run(self, news: mpsc::Sender<LinkNews>) -> Result<(), Infallible> {
        loop {
            let mut events = self.kernel.events().await;
            while let Some(Ok(event)) = events.next().await {
                let (NetworkEvent::NewLink(link) | NetworkEvent::DelLink(link)) = event else {
                    continue;
                };
                let index = link.ifindex();
                let changed = LinkNews::Changed(index, ask(index).await);
                if news.send(changed).await.is_err() {
                    return Ok(());
                }
            }
            drop(events);
            if news.send(LinkNews::Lost).await.is_err() {
                return Ok(());
            }
            tokio::time::sleep(BROKEN_PAUSE).await;
        }
    }
}
