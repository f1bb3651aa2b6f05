//! Whether an attested pod's link is still the one by which it was attested, asked right before each token leaves.

use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use podid_core::attest::{ConfirmedLinks, ProvedLink};
use podid_core::moment::Moment;

use super::link_announcements::LinkAnnouncements;
use super::link_query::LinkQueries;

/// Checks whether a link is still what it was when a pod was attested by it.
pub trait LinkCheck: fmt::Debug + Send + Sync {
    /// Whether the link is unchanged at this moment; a link that cannot be read counts as changed.
    fn is_unchanged(&self, link: &ProvedLink) -> bool;
}

/// The links of the network namespace that this process runs in. The kernel is asked about a link, unless it was asked
/// a moment ago and has announced nothing since.
#[derive(Debug)]
pub struct KernelLinkCheck {
    start: Instant,
    queries: LinkQueries,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    announcements: LinkAnnouncements,
    confirmed: ConfirmedLinks,
}

impl KernelLinkCheck {
    /// In the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel does not let this process follow changes of links.
    pub fn here() -> io::Result<Self> {
        Ok(Self {
            start: Instant::now(),
            queries: LinkQueries::default(),
            known: Mutex::new(Known {
                announcements: LinkAnnouncements::subscribe()?,
                confirmed: ConfirmedLinks::default(),
            }),
        })
    }

    /// Nothing can panic while the lock is held.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LinkCheck for KernelLinkCheck {
    fn is_unchanged(&self, link: &ProvedLink) -> bool {
        let now = Moment::after_start(self.start.elapsed());
        let mut known = self.known();
        if known.announcements.read() {
            known.confirmed.on_announcement();
        }
        if known.confirmed.holds(link, now) {
            return true;
        }
        let question = known.confirmed.question(now);
        drop(known);
        let index = link.index;
        match self.queries.query(index) {
            Ok(Some(found)) if link.is_unchanged(Some(&found)) => {
                self.known().confirmed.answered(question, index, found);
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%error, index, "a link cannot be read; its pod is not served");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::net::if_::if_nametoindex;
    use podid_core::attest::NodeLink;

    use super::*;

    #[test]
    fn a_link_that_cannot_be_asked_about_has_changed() {
        let check = KernelLinkCheck::here().unwrap();
        let attested = |index| ProvedLink {
            index,
            was: NodeLink::default(),
        };
        let loopback = if_nametoindex("lo").unwrap();
        for _ in 0..2 {
            assert!(check.is_unchanged(&attested(loopback)));
            assert!(!check.is_unchanged(&attested(i32::MAX as u32)));
        }
    }
}
