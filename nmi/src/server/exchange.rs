//! Where a connection stands: whether a request is being answered on it.
//!
//! A client that sends its request and shuts down its writing side still waits for the answer. The HTTP library has
//! two ways for such a client: it drops the request, or (`half_close`) it reads nothing while a request is answered,
//! and then does not notice either when the client resets the connection. Here the library reads on, so that a reset
//! ends the work for the request at once; and the end of what the client sends is kept from it until the answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

use crate::server::limits::ConnectionSlot;

/// Of one connection; its reading side and the request under way share it.
#[derive(Debug)]
pub(crate) struct Exchange {
    slot: ConnectionSlot,
    is_answering: AtomicBool,
    /// Of the reading side, once the end waits for the answer.
    deferred: AtomicWaker,
}

impl Exchange {
    pub(crate) fn new(slot: ConnectionSlot) -> Self {
        Self {
            slot,
            is_answering: AtomicBool::new(false),
            deferred: AtomicWaker::new(),
        }
    }

    /// A request begins to be answered. Meanwhile its connection is not ended for another one, unless `may_end`.
    pub(crate) fn begin(&self, may_end: bool) {
        self.is_answering.store(true, Ordering::Relaxed);
        self.slot.set_idle(may_end);
    }

    /// The request is answered.
    pub(crate) fn end(&self) {
        self.is_answering.store(false, Ordering::Relaxed);
        self.slot.set_idle(true);
        self.deferred.wake();
    }

    /// Whether the client's end may be told: at once, or when the request under way is answered. That client may
    /// also be gone, which TCP tells only when something is sent, so its connection may be ended for another one.
    pub(crate) fn poll_end(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_answering.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        self.deferred.register(cx.waker());
        self.slot.set_idle(true);
        Poll::Pending
    }
}
