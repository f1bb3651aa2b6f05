//! How long what the kernel said about a link holds, so that it need not be asked anew for each token.
//!
//! The kernel announces every change of the node's end of a link before the change is complete, so what was said
//! before an announcement counts no more. Only a move of the *other* end between two pods' namespaces is not announced
//! at the node's end. That needs rights in both namespaces, and what it could open is bounded by time.

use std::collections::HashMap;
use std::time::Duration;

use super::{NodeLink, ProvedLink};
use crate::moment::Moment;

/// How long an answer of the kernel about a link counts while nothing is announced.
pub const CONFIRMED_FOR: Duration = Duration::from_millis(20);

/// Links about which the kernel was asked and nothing was announced since.
#[derive(Debug, Default)]
pub struct ConfirmedLinks {
    links: HashMap<u32, Confirmed>,
    announcements: u64,
}

#[derive(Debug)]
struct Confirmed {
    was: NodeLink,
    asked: Moment,
}

/// What was known when the kernel was asked about a link. Only with it can the answer be kept.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    announcements: u64,
    asked: Moment,
}

impl ConfirmedLinks {
    /// Forgets everything: some link has changed, or may have.
    pub fn on_announcement(&mut self) {
        self.announcements += 1;
        self.links.clear();
    }

    /// Whether the link is known to be what it was when it was proved; else the kernel has to be asked.
    #[must_use]
    pub fn holds(&self, link: &ProvedLink, now: Moment) -> bool {
        self.links.get(&link.index).is_some_and(|known| {
            let age = now.saturating_duration_since(known.asked);
            age <= CONFIRMED_FOR && known.asked <= now && link.is_unchanged(Some(&known.was))
        })
    }

    /// To be called before the kernel is asked, after all announcements were read.
    #[must_use]
    pub fn question(&self, now: Moment) -> Question {
        Question {
            announcements: self.announcements,
            asked: now,
        }
    }

    /// Keeps the kernel's answer about a link, unless something was announced since the question.
    pub fn answered(&mut self, question: Question, index: u32, now: NodeLink) {
        if question.announcements == self.announcements {
            let asked = question.asked;
            self.links.insert(index, Confirmed { was: now, asked });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::LinkPeer;

    fn at(milliseconds: u64) -> Moment {
        Moment::after_start(Duration::from_millis(milliseconds))
    }

    fn leads_to(namespace: u32) -> NodeLink {
        let peer = LinkPeer {
            index: 2,
            namespace,
        };
        NodeLink {
            peer: Some(peer),
            ..NodeLink::default()
        }
    }

    fn proved(index: u32, namespace: u32) -> ProvedLink {
        ProvedLink {
            index,
            was: leads_to(namespace),
        }
    }

    fn asked(links: &mut ConfirmedLinks, index: u32, answer: NodeLink, when: Moment) {
        let question = links.question(when);
        links.answered(question, index, answer);
    }

    #[test]
    fn an_answer_holds_for_its_link_and_for_a_short_time() {
        let mut links = ConfirmedLinks::default();
        assert!(!links.holds(&proved(7, 1), at(100)), "nobody has asked");
        asked(&mut links, 7, leads_to(1), at(100));
        let limit = 100 + u64::try_from(CONFIRMED_FOR.as_millis()).unwrap();
        for (link, now, holds) in [
            (proved(7, 1), 100, true),
            (proved(7, 1), limit, true),
            (proved(7, 1), limit + 1, false),
            (proved(7, 1), 99, false),
            (proved(8, 1), 100, false),
            (proved(7, 2), 100, false),
        ] {
            assert_eq!(links.holds(&link, at(now)), holds, "{link:?} at {now}");
        }
    }

    #[test]
    fn an_announcement_ends_all_that_was_known() {
        let mut links = ConfirmedLinks::default();
        asked(&mut links, 7, leads_to(1), at(0));
        asked(&mut links, 8, leads_to(2), at(0));
        links.on_announcement();
        assert!(!links.holds(&proved(7, 1), at(0)) && !links.holds(&proved(8, 2), at(0)));
    }

    #[test]
    fn an_answer_that_an_announcement_has_overtaken_is_not_kept() {
        let mut links = ConfirmedLinks::default();
        let question = links.question(at(0));
        links.on_announcement();
        links.answered(question, 7, leads_to(1));
        assert!(!links.holds(&proved(7, 1), at(0)));
    }
}
