//! Whether a link of the node has changed since this was last asked.
//!
//! A change of a link is announced to every subscriber before the call that makes it returns: the announcement is in
//! this socket's queue by then. So an empty queue means that no change has been completed since the queue was last
//! read, and finding it empty costs one system call, without the lock that a question about a link waits for.
//!
//! What the kernel cannot announce, because the queue is full or memory is short, it reports as an error of the
//! socket; that counts as an announcement.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

/// The group in which changes of links are announced, as a mask (`RTMGRP_LINK`, linux/rtnetlink.h).
const LINK_GROUP: u32 = 1;
/// Most announcements that are read in one go. What is left over only makes the next caller ask the kernel, too.
const READ_MAX: usize = 256;

/// A subscription to the changes of links. What they say is not read, only that there are any.
#[derive(Debug)]
pub(super) struct LinkAnnouncements(OwnedFd);

impl LinkAnnouncements {
    /// Subscribes in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn subscribe() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        // Port 0 lets the kernel choose one.
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, LINK_GROUP))?;
        Ok(Self(socket))
    }

    /// Reads all announcements; whether there were any, or may have been.
    pub(super) fn read(&mut self) -> bool {
        // Each is cut off at the length of the buffer.
        let mut start = [0; 4];
        for count in 0..READ_MAX {
            let read = recv(self.0.as_raw_fd(), &mut start, MsgFlags::MSG_DONTWAIT);
            if read == Err(Errno::EAGAIN) {
                return count > 0;
            }
        }
        true
    }
}
