//! One link of the node as it is now. This is asked before tokens leave, so it must be quick;
//! and its answer decides whether the token leaves, so it must be the answer to this very question.
//!
//! Opening and closing a netlink socket costs more than the question does, so sockets are kept. Three
//! things keep an answer to an earlier question from being taken for a later one:
//!
//! - A socket has one question at a time: it is taken out of the pool for it.
//! - Every question of a socket has a sequence number of its own, and the answer must carry it.
//! - A socket goes back to the pool only after its answer was read; on any error it is closed.
//!
//! The kernel handles a route netlink request within `send`, so the answer is there when `send`
//! returns, and nothing has to wait for it.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send,
    socket,
};
use nlink::netlink::message::{NLM_F_REQUEST, NlMsgError, NlMsgType};
use nlink::netlink::parse::FromNetlink;
use nlink::netlink::types::IfInfoMsg;
use nlink::netlink::{MessageBuilder, MessageIter};
use podid_core::attest::NodeLink;

use super::node_links::LinkAnswer;

/// Longest answer that is read, in bytes; the answer about a veth has about 1500. A longer one is an error.
const ANSWER_MAX: usize = 32 * 1024;
/// Most idle sockets that are kept open. A question blocks a thread of the runtime, so there are never more
/// sockets than threads; this number bounds them on a node with very many CPUs.
const KEPT_SOCKETS: usize = 16;
/// The attribute that says what an answer may leave out (linux/if_link.h), and its bit for statistics
/// (linux/rtnetlink.h): they are a quarter of an answer, and nobody reads them here.
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

/// Asks about links of the network namespace that this process runs in.
#[derive(Debug, Default)]
pub(crate) struct LinkQueries {
    idle: Mutex<Vec<QuerySocket>>,
}

/// Why the kernel could not be asked about a link.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkQueryError {
    /// The socket failed.
    #[error("a netlink socket failed to {doing}")]
    Socket {
        doing: &'static str,
        source: io::Error,
    },
    /// The kernel's answer is not one to this question.
    #[error("the kernel's answer is not one to the question that was asked: {what}")]
    Mismatch { what: &'static str },
    /// The kernel refused.
    #[error("the kernel refused to show the link")]
    Refused(#[source] nlink::Error),
}

impl LinkQueryError {
    fn socket(doing: &'static str) -> impl FnOnce(nix::Error) -> Self {
        move |error| Self::Socket {
            doing,
            source: error.into(),
        }
    }
}

impl LinkQueries {
    /// The link that has this index now; `None` when there is none.
    pub(crate) fn query(&self, index: u32) -> Result<Option<NodeLink>, LinkQueryError> {
        let kept = self.idle().pop();
        let mut socket = kept.map_or_else(QuerySocket::open, Ok)?;
        // With an error the socket is dropped here: an answer may still come to it.
        let link = socket.query(index)?;
        let mut idle = self.idle();
        if idle.len() < KEPT_SOCKETS {
            idle.push(socket);
        }
        Ok(link)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<QuerySocket>> {
        // Nothing can panic while the lock is held.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket to the kernel's route netlink, on which nothing is under way.
struct QuerySocket {
    socket: OwnedFd,
    /// Sequence number of the last question.
    sequence: u32,
    answer: Vec<u8>,
}

impl fmt::Debug for QuerySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QuerySocket({})", self.socket.as_raw_fd())
    }
}

impl QuerySocket {
    fn open() -> Result<Self, LinkQueryError> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )
        .map_err(LinkQueryError::socket("be opened"))?;
        // Port 0 is the kernel. A connected socket takes messages from nobody else.
        connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))
            .map_err(LinkQueryError::socket("be connected to the kernel"))?;
        Ok(Self {
            socket,
            sequence: 0,
            answer: vec![0; ANSWER_MAX],
        })
    }

    fn query(&mut self, index: u32) -> Result<Option<NodeLink>, LinkQueryError> {
        let Some(wanted) = i32::try_from(index).ok().filter(|index| *index > 0) else {
            return Ok(None);
        };
        // 0 is what announcements carry.
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        let question = question(wanted, self.sequence);
        let fd = self.socket.as_raw_fd();
        send(fd, &question, MsgFlags::empty()).map_err(LinkQueryError::socket("send"))?;
        let length = recv(fd, &mut self.answer, MsgFlags::MSG_TRUNC)
            .map_err(LinkQueryError::socket("receive"))?;
        let mismatch = |what| LinkQueryError::Mismatch { what };
        let answer = self.answer.get(..length);
        read_answer(answer.ok_or(mismatch("too long"))?, self.sequence, index)
    }
}

fn question(index: i32, sequence: u32) -> Vec<u8> {
    let mut question = MessageBuilder::new(NlMsgType::RTM_GETLINK, NLM_F_REQUEST);
    question.append(&IfInfoMsg::new().with_index(index));
    question.append_attr_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    question.set_seq(sequence);
    question.finish()
}

/// Reads the one message of an answer to the question of this sequence number about this link.
fn read_answer(
    answer: &[u8],
    sequence: u32,
    index: u32,
) -> Result<Option<NodeLink>, LinkQueryError> {
    let mismatch = |what| LinkQueryError::Mismatch { what };
    let first = MessageIter::new(answer).next();
    let (header, payload) = first
        .ok_or(mismatch("empty"))?
        .map_err(LinkQueryError::Refused)?;
    if header.nlmsg_seq != sequence {
        return Err(mismatch("another sequence number"));
    }
    if header.is_error() {
        let error = NlMsgError::from_bytes(payload).map_err(LinkQueryError::Refused)?;
        let error = error.into_error(payload);
        return match error.is_no_device() {
            true => Ok(None),
            false => Err(LinkQueryError::Refused(error)),
        };
    }
    if header.nlmsg_type != NlMsgType::RTM_NEWLINK {
        return Err(mismatch("another type"));
    }
    let link = LinkAnswer::from_bytes(payload).map_err(LinkQueryError::Refused)?;
    match link.index() == index {
        true => Ok(Some(link.node_link())),
        false => Err(mismatch("another link")),
    }
}

#[cfg(test)]
mod tests {
    use nix::net::if_::if_nametoindex;

    use super::*;

    /// The loopback interface, which every network namespace has.
    fn loopback() -> u32 {
        if_nametoindex("lo").unwrap()
    }

    #[test]
    fn a_link_is_found_by_its_index_and_a_missing_one_is_none() {
        let check = LinkQueries::default();
        let link = check.query(loopback()).unwrap().unwrap();
        assert_eq!((link.peer, link.bridge), (None, None));
        for missing in [0, i32::MAX as u32, u32::MAX] {
            assert_eq!(check.query(missing).unwrap(), None, "{missing}");
        }
    }

    #[test]
    fn one_socket_serves_all_questions_of_one_thread() {
        let check = LinkQueries::default();
        let kept = || -> Vec<i32> {
            let idle = check.idle();
            idle.iter().map(|one| one.socket.as_raw_fd()).collect()
        };
        check.query(loopback()).unwrap();
        let first = kept();
        assert_eq!(first.len(), 1);
        for _ in 0..10 {
            check.query(loopback()).unwrap();
        }
        assert_eq!(kept(), first);
        assert_eq!(check.idle()[0].sequence, 11);
    }

    #[test]
    fn an_answer_to_an_earlier_question_is_an_error_and_closes_the_socket() {
        let check = LinkQueries::default();
        check.query(loopback()).unwrap();
        // A question whose answer is not read, as if its asker had gone away.
        let left = question(i32::try_from(loopback()).unwrap(), 1);
        let fd = check.idle()[0].socket.as_raw_fd();
        send(fd, &left, MsgFlags::empty()).unwrap();
        let error = check.query(loopback()).unwrap_err();
        assert!(
            error.to_string().contains("another sequence number"),
            "{error}"
        );
        assert!(check.idle().is_empty());
        check.query(loopback()).unwrap();
    }

    #[test]
    fn only_the_answer_to_this_question_counts() {
        let mut socket = QuerySocket::open().unwrap();
        let asked = question(i32::try_from(loopback()).unwrap(), 7);
        let fd = socket.socket.as_raw_fd();
        send(fd, &asked, MsgFlags::empty()).unwrap();
        let length = recv(fd, &mut socket.answer, MsgFlags::empty()).unwrap();
        let answer = &socket.answer[..length];
        assert!(read_answer(answer, 7, loopback()).unwrap().is_some());
        for (sequence, index) in [(6, loopback()), (8, loopback()), (7, loopback() + 1)] {
            assert!(read_answer(answer, sequence, index).is_err());
        }
        for cut in 0..answer.len() {
            // Whatever is cut off, it is no panic, and never another link.
            if let Ok(Some(link)) = read_answer(&answer[..cut], 7, loopback()) {
                assert_eq!((link.peer, link.bridge), (None, None));
            }
        }
    }
}
